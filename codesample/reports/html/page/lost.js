// What the chosen reranker loses: a candidate passes, and it picks another one. Each beside what it should pick.

function lostProblems() {
  return page.problems.filter(isLost).sort((a, b) => lostShare(b) - lostShare(a) || share(b) - share(a) || a.at - b.at);
}

function renderLost() {
  if (page.reranker === null) return;
  const name = page.rerankers[page.reranker];
  const lost = lostProblems();
  const surely = lost.filter((problem) => choiceOf(problem).chance === 0).length;
  const solvable = page.problems.filter((problem) => problem.passed > 0).length;
  const unsolved = page.problems.length - solvable;
  $("lost-name").textContent = name;
  const ties = lost.length - surely;
  const expected = lost.reduce((sum, problem) => sum + lostShare(problem), 0);
  const told = [
    `${solvable} of ${count(page.problems.length, "problem")} ${solvable === 1 ? "has" : "have"} a candidate that passes.`,
    lost.length === 0
      ? "It picks a passing one in every one of them."
      : ties === 0
        ? `It picks a failing one in ${surely}.`
        : `It ${surely ? `picks a failing one in ${surely} and ` : ""}leaves ${ties} to chance, between passing and failing ones: ` +
          `${Number(expected.toPrecision(3))} are lost on average.`,
  ];
  if (unsolved) told.push(`In the other ${unsolved} nothing passes, so no choice could help.`);
  const decided = decidersText(lost);
  if (decided) told.push(decided);
  $("lost-told").textContent = told.join(" ");
  const words = page.words[page.reranker].map(([of, text]) => make("div", {}, appendName(make("dt", {}), `${of}:`), " ", appendName(make("dd", {}), text)));
  $("lost-words").replaceChildren(...words);
  const most = 50;
  $("lost-rows").replaceChildren(...lost.slice(0, most).map((problem, at) => lostRow(problem, at === 0)));
  $("lost-more").hidden = lost.length <= most;
  $("lost-more").textContent = `See all ${lost.length} in the list of problems`;
}

/** By whom the lost problems were decided, and who was silent, in how many each; "" where nobody knows. */
function decidersText(lost) {
  const [deciders, silent] = [new Map(), new Map()];
  const add = (counts, name) => counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const choice of lost.map((problem) => choiceOf(problem))) {
    if (choice.pickScore === null) add(silent, "it");
    else {
      if (choice.decided) add(deciders, choice.decided[0]);
      for (const [name] of choice.silent) add(silent, name);
    }
  }
  const listed = (counts, say) => [...counts].sort((a, b) => b[1] - a[1]).map(([name, number]) => say(name, number)).join(", ");
  const told = [
    deciders.size ? `decided by ${listed(deciders, (name, number) => `${name} in ${number}`)}` : "",
    silent.size ? `without any score ${listed(silent, (name, number) => (name === "it" ? `in ${number}` : `of ${name} in ${number}`))}` : "",
  ].filter(Boolean);
  return told.length ? `Of the lost ones: ${told.join("; ")}.` : "";
}

/** The statement of the tests that a pick failed, and how many checks do not hold, as far as that is known. */
function appendFailed(why, choice) {
  if (!choice.failed) return;
  const [statement, failing, checks] = choice.failed;
  if (failing) why.append(` ${failing} of ${count(checks, "check")} ${failing === 1 ? "does" : "do"} not hold`);
  if (page.reasons[statement]) why.append(appendText(make("code", { class: "statement" }), page.reasons[statement]));
}

function lostRow(problem, open) {
  const choice = choiceOf(problem);
  const letter = problem.verdicts[choice.pick];
  const reason = choice.reason === null ? "" : page.reasons[choice.reason];
  const why = make("span", { class: "why" }, verdictBadge(letter));
  appendFailed(why, choice);
  if (reason) appendText(why.appendChild(make("code", {})), reason);
  const summary = make(
    "summary",
    {},
    appendText(make("span", { class: "lost-id", dir: "auto" }), problem.id),
    appendText(make("span", { class: "title" }), problem.title),
    why,
    make("span", { class: "numbers", text: `${problem.passed} of ${problem.graded} pass; ${rankText(choice)}` }),
  );
  const details = make("details", { class: "lost", "data-at": problem.at, open }, summary);
  let filled = false;
  const fill = async () => {
    if (!details.open || filled) return;
    filled = true;
    details.append(await pairOf(problem, choice));
  };
  details.addEventListener("toggle", fill);
  if (open) fill();
  return details;
}

/** Why the choice is what it is, in a sentence. */
function rankText(choice) {
  if (choice.pickScore === null) return `${silenceText(choice)}: one at random, of which ${percent(choice.chance)} pass`;
  if (choice.chance > 0) return `${count(choice.tied, "candidate")} share the top score, ${percent(choice.chance)} of them pass`;
  const tie = choice.tied > 1 ? `one of ${choice.tied} that tie, all of which fail; ` : "";
  const place = `best passing one in place ${choice.rank}`;
  const silent = silentText(choice);
  if (choice.decided) return `${tie}${silent}decided by ${decidedText(choice.decided)}; ${place}`;
  if (page.ranked[page.reranker]) return `${tie}${silent}${place}`;
  return `${tie}score ${scoreText(choice.pickScore)}, best passing one ${scoreText(choice.passingScore)}, in place ${choice.rank}`;
}

/** Which member decided, among whom, and what it gave them. */
function decidedText([member, scores, [kept]]) {
  const among = kept ? ` among the ${kept[1]} of ${kept[2]} that ${kept[0]} kept` : "";
  return `${member}${among}${scores ? `: ${againstText(...scores)}` : " (its numbers among these are not kept; score again to see them)"}`;
}

/** Two scores in few digits, or in as many as tell them apart. */
function againstText(one, other) {
  const [first, second] = scoreText(one) === scoreText(other) ? [one, other].map((each) => String(each).replace("-", "−")) : [one, other].map(scoreText);
  return `${first} against ${second}`;
}

/** Which members gave nobody a score, and why: "a gave no score (its reason); ". */
function silentText(choice) {
  return choice.silent.map(([name, why]) => `${name} gave no score${page.reasons[why] ? ` (${page.reasons[why]})` : ""}; `).join("");
}

function silenceText(choice) {
  const why = page.reasons[choice.silence];
  return `no candidate has a score${why ? ` (${why})` : ""}`;
}

/** What to call the pick and the candidate beside it: where nothing is preferred, nothing is picked. */
function headingsOf(choice) {
  if (choice.pickScore === null) return ["It prefers none; one that fails", "One that passes"];
  if (choice.chance > 0) return [`It leaves ${choice.tied} to chance; one that fails`, "One of them that passes"];
  const picked = choice.tied > 1 ? `What it picks, one of ${choice.tied} that tie` : "What it picks";
  return [picked, "The best-scored one that passes"];
}

// a program can be complete all the same
const REACHED_LIMIT = "answer reached the token limit";

/** The pick beside the best-scored candidate that passes. */
async function pairOf(problem, choice) {
  const [part, scored] = await Promise.all([problemPart(problem.at), memberScores(problem, choice)]);
  const [one, other] = [choice.pick, choice.passing];
  const asked = askedOf(part);
  const programs = [one, other].map((at) => part.texts[part.candidates[at].program]);
  const [gone, fresh] = differingLines(programs[0], programs[1], asked);
  const [picked, passing] = headingsOf(choice);
  const pair = make(
    "div",
    { class: "pair" },
    paneOf(problem, part, one, picked, scoreWords(choice, choice.pickScore, 1, scored(0)), gone),
    paneOf(problem, part, other, passing, scoreWords(choice, choice.passingScore, choice.rank, scored(1)), fresh),
  );
  return make(
    "div",
    {},
    pair,
    marksLegend(gone, fresh),
    make("details", {}, make("summary", { text: "Hidden tests" }), codeBlock(part.tests, { label: `Hidden tests of ${problem.id}` })),
    make("p", {}, make("a", { href: linkTo(problem), text: `All about ${problem.id}` })),
  );
}

/**
 * What the members of the chosen reranker gave its pick (0) and the one that passes (1), in words, as far as
 * the page has it: within the composition, else over all candidates, which may not be what decided.
 */
async function memberScores(problem, choice) {
  if (choice.gave) {
    const text = (score) => (score === false ? "not asked" : scoreText(score));
    return (which) => choice.gave.map(([name, one, other, asked]) => `${name}${asked ? ` among the ${asked} kept` : ""}: ${text([one, other][which])}`);
  }
  const known = page.members[page.reranker].filter(([, at]) => at !== null);
  const rows = await Promise.all(known.map(async ([name, at]) => [name, (await scoresOf(at))[problem.at]]));
  const all = page.narrowing[page.reranker] ? ` over all ${problem.verdicts.length}` : "";
  return (which) => rows.map(([name, scores]) => `${name}${all}: ${scoreText(scores[[choice.pick, choice.passing][which]])}`);
}

/** What a candidate got: its score, or where scores are places, its place and what the members gave. */
function scoreWords(choice, score, place, members) {
  if (choice.pickScore === null || score === null) return ["no score", ...members].join(" · ");
  return [page.ranked[page.reranker] ? `place ${place}` : `score ${scoreText(score)}`, ...members].join(" · ");
}

function paneOf(problem, part, at, heading, words, marks) {
  const row = part.candidates[at];
  const number = indexOf(problem, at);
  const head = make("h3", { class: "small" }, `${heading}: `, make("a", { href: linkTo(problem, at), text: `candidate ${number}` }));
  const label = `Program of candidate ${number} of ${problem.id}`;
  return make(
    "section",
    { class: "pane" },
    head,
    appendName(make("p", {}, verdictBadge(problem.verdicts[at]), " "), row.finish === "length" ? `${words} · ${REACHED_LIMIT}` : words),
    failureOf(part, row),
    codeBlock(part.texts[row.program], { label, marks, asked: askedOf(part) }),
  );
}

/** The traceback of a candidate and the first check that it failed; null where there is neither. */
function failureOf(part, row) {
  const detail = part.details[row.detail];
  const check = row.failed === undefined ? "" : part.checks[row.failed];
  if (!detail && !check) return null;
  const block = make("div", { class: "failure" });
  if (check) {
    block.append(make("p", { text: `First check that fails, ${row.failed + 1} of ${row.checks}:` }));
    block.append(plainBlock(check, "First check that fails"));
  }
  if (detail) block.append(plainBlock(detail, "What came of it"));
  if (!check && /\bAssertionError\b/.test(detail) && !/\bassert\b/.test(detail)) {
    block.append(make("p", { text: "The hidden tests are one piece: the verdict does not say which statement failed." }));
  }
  return block;
}
