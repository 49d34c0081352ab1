// What everything else is made of: elements without markup, data unpacked when they are needed.

const $ = (id) => document.getElementById(id);

/** Make an element. `about` holds attributes; `on` a listener by event, `text` its text. Never markup. */
function make(tag, about = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Read one block of the page's data: gzip in base 64. */
async function unpack(id) {
  const letters = atob($(id).textContent.trim());
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

const MOST_KEPT = 24;
const keptParts = new Map();

/** Return everything of one problem; the last few that were asked for are kept. */
function problemPart(at) {
  if (!keptParts.has(at)) keptParts.set(at, unpack(`data-problem-${at}`));
  const found = keptParts.get(at);
  keptParts.delete(at);
  keptParts.set(at, found);
  if (keptParts.size > MOST_KEPT) keptParts.delete(keptParts.keys().next().value);
  return found;
}

const keptScores = new Map();

/** Return one reranker's scores of every problem. */
function scoresOf(reranker) {
  if (!keptScores.has(reranker)) keptScores.set(reranker, unpack(`data-scores-${reranker}`));
  return keptScores.get(reranker);
}

const VERDICTS = {
  p: { name: "passed", sign: "✓", kind: "pass" },
  w: { name: "wrong", sign: "✗", kind: "fail" },
  e: { name: "error", sign: "!", kind: "error" },
  t: { name: "time-out", sign: "T", kind: "limit" },
  m: { name: "out of memory", sign: "M", kind: "limit" },
  o: { name: "too much output", sign: "O", kind: "limit" },
  c: { name: "crashed", sign: "C", kind: "error" },
  u: { name: "unsupported value", sign: "?", kind: "error" },
  h: { name: "not judged (harness error)", sign: "–", kind: "none" },
  k: { name: "passed, not counted (weak)", sign: "~", kind: "none" },
};

/** The fields of a choice, by what they are. */
function readChoice(fields) {
  if (fields === null) return null;
  const [chance, tied, pick, pickScore, passing, passingScore, rank, reason, silence, decided, gave, silent, failed] = fields;
  return { chance, tied, pick, pickScore, passing, passingScore, rank, reason, silence, decided, gave, silent, failed };
}

function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

function percent(share) {
  if (share > 0 && share < 0.005) return "under 1 %";
  if (share < 1 && share > 0.995) return "over 99 %";
  return `${Math.round(share * 100)} %`;
}

function scoreText(score) {
  if (score === null || score === undefined) return "no score";
  const size = Math.abs(score);
  if (score !== 0 && (size >= 1e5 || size < 1e-3)) return score.toExponential(2).replace("-", "−");
  return String(Number(score.toPrecision(4))).replace("-", "−");
}

/** Append the name of a reranker, or text with some: lines may end behind its commas and low lines. */
function appendName(element, text) {
  for (const part of text.split(/(?<=[,_|])(?=\S)/)) element.append(part, make("wbr"));
  return element;
}

/** The index by which the run's files know a candidate. */
function indexOf(problem, position) {
  return problem.indices ? problem.indices[position] : position;
}

function positionOf(problem, index) {
  if (problem.indices) return problem.indices.indexOf(index);
  return index >= 0 && index < problem.verdicts.length ? index : -1;
}

function verdictBadge(letter) {
  const verdict = VERDICTS[letter];
  const sign = make("span", { "aria-hidden": "true", text: `${verdict.sign} ` });
  return make("span", { class: `badge ${verdict.kind}` }, sign, verdict.name);
}

/** Tell screen readers, and nobody else. */
function announce(text) {
  $("live").textContent = text;
}

const pause = () => new Promise((go) => setTimeout(go, 0));
