// One problem: what was asked, what each reranker picks, and its candidates, equal programs together.

const view = { problem: null, part: null, groups: [], group: 0, position: 0, scores: [], ticket: 0 };

async function showProblem(problem, position) {
  const ticket = ++view.ticket;
  const same = view.problem === problem && view.part;
  if (!same) {
    view.part = null;
    $("problem-name").replaceChildren();
    appendText($("problem-name"), problem.id);
    $("problem-title").replaceChildren();
    appendText($("problem-title"), problem.title);
    $("problem-body").hidden = true;
    const [part, ...columns] = await Promise.all([problemPart(problem.at), ...page.rerankers.map((_, each) => scoresOf(each))]);
    if (ticket !== view.ticket) return;
    view.problem = problem;
    view.part = part;
    view.scores = columns.map((column) => column[problem.at]);
    renderAsked();
    $("candidate-filter").value = "all";
  }
  view.position = position ?? firstPosition(problem);
  // what one asks for is shown, whatever the list of candidates leaves out
  if (!isWanted(view.position)) $("candidate-filter").value = "all";
  renderPicks();
  renderGroups();
  $("problem-body").hidden = false;
  renderNeighbours();
}

/** What one wants to see first: the pick of the chosen reranker, else the first candidate. */
function firstPosition(problem) {
  return choiceOf(problem)?.pick ?? 0;
}

function renderAsked() {
  const { problem, part } = view;
  $("problem-facts").replaceChildren(
    `${problem.passed} of ${count(problem.graded, "candidate")} pass · ` +
      `${count(new Set(problem.groups).size, "distinct program")}`,
  );
  const turns = part.prompt.flatMap(([role, text]) => [
    make("p", { class: "role", text: part.asked ? role : "problem (how a model was asked is not known)" }),
    plainBlock(text, `What the model was given: ${role}`, 16),
  ]);
  $("asked").replaceChildren(...turns);
  if (part.examples.length) {
    $("asked").append(make("p", { class: "role", text: "public examples" }), plainBlock(part.examples.join("\n"), "Public examples"));
  }
  $("hidden-tests").replaceChildren(codeBlock(part.tests, { label: "Hidden tests" }));
}

/** A table with a row for each reranker: its pick, whether that passes, and what it would have had to pick. */
function renderPicks() {
  const { problem } = view;
  const rows = page.rerankers.map((name, at) => {
    const choice = problem.choices[at];
    const row = make("tr", at === page.reranker ? { class: "chosen" } : {}, appendName(make("th", { scope: "row", dir: "auto" }), name));
    if (choice === null) {
      row.append(make("td", { colspan: "4", text: "no candidate has a grade" }));
      return row;
    }
    if (choice.pickScore === null) {
      row.append(make("td", { colspan: "4", text: `${silenceText(choice)}: one at random, of which ${percent(choice.chance)} pass` }));
      return row;
    }
    if (choice.tied === problem.graded && choice.tied > 1) {
      row.append(make("td", { colspan: "4", text: `prefers none, all ${choice.tied} tie: ${percent(choice.chance)} pass` }));
      return row;
    }
    const tie = choice.tied > 1 ? ` and ${count(choice.tied - 1, "other")} tie` : "";
    row.append(
      make("td", {}, candidateLink(problem, choice.pick), tie),
      make("td", {}, choice.chance === 0 || choice.chance === 1 ? verdictBadge(problem.verdicts[choice.pick]) : `tie: ${percent(choice.chance)} pass`),
      make("td", { class: "number", text: page.ranked[at] ? "" : scoreText(choice.pickScore) }),
      choice.passing === null
        ? make("td", { text: "none passes" })
        : make("td", {}, candidateLink(problem, choice.passing), `, ${passingText(choice, page.ranked[at])}`),
    );
    return row;
  });
  const focused = [...$("pick-rows").querySelectorAll("a")].indexOf(document.activeElement);
  $("pick-rows").replaceChildren(...rows);
  if (focused >= 0) $("pick-rows").querySelectorAll("a")[focused]?.focus({ preventScroll: true });
  $("picks").hidden = rows.length === 0;
}

function passingText(choice, ranked) {
  const place = `place ${choice.rank}`;
  if (!ranked) return `${scoreText(choice.passingScore)}, ${place}`;
  if (!choice.decided) return place;
  return `${place}; ${silentText(choice)}decided by ${decidedText(choice.decided)}`;
}

function candidateLink(problem, position) {
  return make("a", { href: linkTo(problem, position), text: String(indexOf(problem, position)) });
}

function scoreAt(position) {
  return page.reranker === null ? null : view.scores[page.reranker][position];
}

/** Gather equal programs with equal verdicts, in the order that is asked for. */
function renderGroups() {
  const { problem } = view;
  const groups = new Map();
  problem.groups.forEach((group, position) => {
    if (!isWanted(position)) return;
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(position);
  });
  const top = (members) => members.reduce((most, at) => Math.max(most, below(scoreAt(at) ?? null)), -Infinity);
  const orders = {
    score: (a, b) => top(b) - top(a) || 0,
    size: (a, b) => b.length - a.length,
    index: () => 0,
  };
  const order = $("candidate-order").value;
  for (const members of groups.values()) members.sort((a, b) => below(scoreAt(b) ?? null) - below(scoreAt(a) ?? null) || a - b);
  view.groups = [...groups.values()].sort((a, b) => orders[order](a, b) || Math.min(...a) - Math.min(...b));
  view.group = view.groups.findIndex((members) => members.includes(view.position));
  if (view.group < 0 && view.groups.length) {
    view.group = 0;
    view.position = view.groups[0][0];
  }
  $("group-rows").replaceChildren(...view.groups.map(groupRow));
  tellBelow();
  $("group-score").textContent = page.reranker !== null && page.ranked[page.reranker] ? "place" : "score";
  $("group-count").textContent = `${count(view.groups.length, "distinct program")} of ${count(view.groups.flat().length, "candidate")}`;
  renderCandidate();
}

/** Whether the list of candidates is to show one. */
function isWanted(position) {
  const wanted = $("candidate-filter").value;
  return wanted === "all" || (wanted === "pass") === (view.problem.verdicts[position] === "p");
}

function groupRow(members, at) {
  const { problem } = view;
  const shown = members.slice(0, 6).map((position) => indexOf(problem, position));
  const more = members.length > shown.length ? ` and ${members.length - shown.length} more` : "";
  const first = members.includes(view.position) ? view.position : members[0];
  const link = make("a", { href: linkTo(problem, first), text: shown.join(", ") });
  if (at === view.group) link.setAttribute("aria-current", "true");
  const top = members.reduce((most, at) => (below(scoreAt(at)) > below(scoreAt(most)) ? at : most), members[0]);
  const left = leftOutText(page.reranker, top);
  return make(
    "tr",
    { class: at === view.group ? "current" : null, "data-group": at },
    make("td", {}, verdictBadge(problem.verdicts[members[0]])),
    make("th", { scope: "row" }, link, more, ...pickMarks(members), left && appendName(make("span", { class: "picked" }), left)),
    make("td", { class: "number", text: String(members.length) }),
    make("td", { class: "number", text: page.reranker === null ? "" : left ? "left out" : placeOrScore(page.reranker, top) }),
  );
}

/** A candidate's score; its place among those of all candidates where the size of scores says nothing. */
function placeOrScore(reranker, position) {
  const score = view.scores[reranker][position];
  if (score === null) return "no score";
  if (!page.ranked[reranker]) return scoreText(score);
  return String(1 + view.scores[reranker].filter((other, at) => isGraded(at) && below(other) > score).length);
}

/** Which filter of a reranker left a candidate out, in words; null where none did, or nobody knows. */
function leftOutText(reranker, position) {
  const by = reranker === null ? undefined : view.problem.left[reranker].find(([, positions]) => positions.includes(position));
  return by ? `left out by ${by[0]}` : null;
}

/** Marks of a group that the chosen reranker picks, or may pick, and below them the others that surely do. */
function pickMarks(members) {
  const names = pickedBy(members);
  const own = page.reranker === null ? undefined : names.find(([at]) => at === page.reranker);
  const others = names.filter(([at, tie]) => at !== page.reranker && !tie).map(([at]) => page.rerankers[at]);
  const also = others.length > 2 ? count(others.length, own ? "other" : "reranker") : others.join(", ");
  return [
    own ? make("span", { class: "picked own", text: own[1] ? "◐ one of a tie for its pick" : "★ its pick" }) : null,
    also ? appendName(make("span", { class: "picked" }), `${own ? "and by" : "picked by"} ${also}`) : null,
  ];
}

/** Which rerankers give a member of a group their top score: [number, whether other programs have it as well]. */
function pickedBy(members) {
  return page.rerankers.flatMap((_, at) => {
    const choice = view.problem.choices[at];
    if (choice === null || choice.pickScore === null) return [];
    const own = members.filter((position) => view.scores[at][position] === choice.pickScore && isGraded(position)).length;
    if (!own) return [];
    return [[at, own < choice.tied]];
  });
}

function isGraded(position) {
  return !"hk".includes(view.problem.verdicts[position]);
}

function renderCandidate() {
  const { problem, part, position } = view;
  const pane = $("candidate");
  if (!view.groups.length) {
    pane.replaceChildren(make("p", { text: "No candidate fits." }));
    return;
  }
  for (const row of $("group-rows").children) {
    const current = Number(row.dataset.group) === view.group;
    row.classList.toggle("current", current);
    const link = row.querySelector("a");
    if (current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  const row = part.candidates[position];
  const number = indexOf(problem, position);
  const head = make("h3", { id: "candidate-name", tabindex: "-1", text: `Candidate ${number}` });
  const members = view.groups[view.group];
  const twins = members.filter((at) => at !== position);
  const parts = [
    make("p", { class: "verdict" }, verdictBadge(problem.verdicts[position]), ` ${factsOf(row).join(" · ")}`),
    failureOf(part, row),
    twins.length ? make("p", { class: "twins" }, "the same program: ", ...linked(problem, twins)) : null,
    ...programOf(problem, part, row, position),
    section("Answer as the model wrote it", () => plainBlock(part.texts[row.answer], `Answer of candidate ${number}`)),
    row.origin?.answer ? section("Answer before another tool read it", () => plainBlock(row.origin.answer, "Answer as recorded")) : null,
    tokensOf(part, row),
    scoreTable(problem, position),
    row.origin ? originOf(row.origin) : null,
  ];
  pane.replaceChildren(head, ...parts.filter((each) => each !== null));
}

function linked(problem, positions) {
  const shown = positions.slice(0, 40).flatMap((at, place) => [place ? ", " : "", candidateLink(problem, at)]);
  return positions.length > 40 ? [...shown, ` and ${positions.length - 40} more`] : shown;
}

function factsOf(row) {
  const facts = [];
  if (row.checks) facts.push(`${row.held} of ${count(row.checks, "check")} hold`);
  if (row.cpu) facts.push(`${row.cpu.toFixed(3)} s of CPU`);
  if (row.megabytes) facts.push(`${row.megabytes} MB`);
  if (row.length !== undefined) facts.push(count(row.length, "token"));
  if (row.finish) facts.push(row.finish === "length" ? REACHED_LIMIT : `ended by ${row.finish}`);
  if (row.rule && row.rule !== "continuation") facts.push(`read by rule ${row.rule}`);
  if (row.integrity === "weak") facts.push("weak integrity");
  if (row.retried) facts.push(`first try: ${row.retried}`);
  return facts;
}

/** A part that is opened by those who want it; made when it is. `open` parts stay so from one to the next. */
const opened = new Set();

function section(title, fill) {
  const details = make("details", { open: opened.has(title) }, make("summary", { text: title }));
  const show = () => {
    if (details.open) opened.add(title);
    else opened.delete(title);
    if (details.open && details.children.length === 1) details.append(fill());
  };
  details.addEventListener("toggle", show);
  if (details.open) details.append(fill());
  return details;
}

function tokensOf(part, row) {
  if (row.tokens === null) {
    return row.length ? make("p", { class: "muted", text: "No log-probabilities of its tokens are on this page." }) : null;
  }
  return section("Tokens by log-probability", () => tokenBlock(part.texts[row.answer], part.tokens[row.tokens]));
}

/** The program, and beside it, of a failing one, one that passes, to see what it lacks. */
function programOf(problem, part, row, position) {
  const number = indexOf(problem, position);
  const program = part.texts[row.program];
  const asked = askedOf(part);
  const own = (marks) => codeBlock(program, { label: `Program of candidate ${number}`, marks, asked });
  const rivals = [...problem.verdicts].flatMap((letter, at) => (letter === "p" && part.candidates[at].program !== row.program ? [at] : []));
  if (!rivals.length) return [make("h4", { text: "Program" }), own()];
  const best = rivals.reduce((most, at) => (below(scoreAt(at)) > below(scoreAt(most)) ? at : most), rivals[0]);
  const seen = new Set();
  const different = [best, ...rivals].filter((at) => !seen.has(part.candidates[at].program) && seen.add(part.candidates[at].program));
  const choose = make(
    "select",
    { id: "compare-with" },
    make("option", { value: "", text: "nothing" }),
    ...different.slice(0, 60).map((at) => make("option", { value: at, text: `candidate ${indexOf(problem, at)}, passes` })),
  );
  const place = make("div", {});
  const show = () => {
    if (choose.value === "") {
      place.replaceChildren(own());
      return;
    }
    const at = Number(choose.value);
    const [gone, fresh] = differingLines(program, part.texts[part.candidates[at].program], asked);
    const label = `Program of candidate ${indexOf(problem, at)}`;
    const other = codeBlock(part.texts[part.candidates[at].program], { label, marks: fresh, asked });
    place.replaceChildren(
      make(
        "div",
        { class: "pair" },
        make("section", { class: "pane" }, make("h4", { text: `candidate ${number}` }), own(gone)),
        make("section", { class: "pane" }, make("h4", {}, "candidate ", candidateLink(problem, at), ", passes"), other),
      ),
      ...[marksLegend(gone, fresh)].filter(Boolean),
    );
  };
  choose.addEventListener("change", () => {
    page.beside = choose.value !== "";
    show();
  });
  // of one that passes there is nothing to find out
  if (page.beside && problem.verdicts[position] !== "p") choose.value = String(different[0]);
  show();
  return [make("h4", {}, "Program, ", make("label", { for: "compare-with", text: "beside " }), choose), place];
}

/** Why a candidate has no score, with the reranker's reason where it gave nobody one. */
function silentOr(reranker, position) {
  const choice = view.problem.choices[reranker];
  const why = choice !== null && choice.pickScore === null ? page.reasons[choice.silence] : "";
  return why ? `no score: ${why}` : leftOutText(reranker, position) ?? "no score";
}

function scoreTable(problem, position) {
  if (!page.rerankers.length) return null;
  return section("Scores by every reranker", () => {
    const rows = page.rerankers.map((name, at) => {
      const scores = view.scores[at];
      const own = below(scores[position]);
      const above = scores.filter((score, other) => isGraded(other) && below(score) > own).length;
      const tied = scores.filter((score, other) => isGraded(other) && other !== position && below(score) === own).length;
      return make(
        "tr",
        {},
        appendName(make("th", { scope: "row", dir: "auto" }), name),
        make("td", { class: scores[position] === null ? "number worded" : "number", text: scores[position] === null ? silentOr(at, position) : page.ranked[at] ? "" : scoreText(scores[position]) }),
        make("td", { class: "number", text: `${above + 1} of ${problem.graded}${tied ? `, tied with ${count(tied, "other")}` : ""}` }),
      );
    });
    const heads = ["reranker", "score", "place"].map((text) => make("th", { scope: "col", text }));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
    const frame = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scores" }, table);
    if (!page.narrowing.includes(true)) return frame;
    const all = `Each by itself, over all ${problem.verdicts.length} candidates; behind a filter (a | b), b scores the kept ones anew.`;
    return make("div", {}, make("p", { class: "muted", text: all }), frame);
  });
}

function originOf(origin) {
  const told = [origin.where ? `recorded at ${origin.where}` : "recorded"];
  if (origin.passed !== undefined) told.push(`there ${origin.passed ? "passed" : "failed"}`);
  if (origin.said) told.push(origin.said);
  return appendText(make("p", { class: "muted" }), told.join("; "));
}

/** Links to the problems before and after, of those that the list shows. */
function renderNeighbours() {
  const among = list.shown.includes(view.problem) ? list.shown : page.problems;
  const at = among.indexOf(view.problem);
  for (const [id, step] of [["previous-problem", -1], ["next-problem", 1]]) {
    const other = among[at + step];
    $(id).hidden = !other;
    if (other) {
      $(id).href = linkTo(other);
      $(id).title = other.id;
    }
  }
  $("place-in-list").textContent = `${at + 1} of ${among.length}${among === page.problems ? "" : " shown"}`;
}

/** Go to the group that is so many further on. */
function stepGroup(step) {
  const members = view.groups[view.group + step];
  if (!members) return;
  location.replace(linkTo(view.problem, members[0]));
}

/** Say how many programs the list has below its end, where it scrolls. */
function tellBelow() {
  const frame = $("group-frame");
  const end = frame.getBoundingClientRect().bottom;
  const below = [...$("group-rows").children].filter((row) => row.getBoundingClientRect().bottom > end + 2).length;
  $("group-below").hidden = below === 0 || frame.scrollHeight <= frame.clientHeight + 2;
  $("group-below").textContent = `↓ ${below} more below`;
}

function startProblem() {
  $("group-frame").addEventListener("scroll", tellBelow, { passive: true });
  new ResizeObserver(tellBelow).observe($("group-frame"));
  $("group-below").addEventListener("click", () => $("group-frame").scrollBy({ top: $("group-frame").clientHeight * 0.8 }));
  $("candidate-filter").addEventListener("change", renderGroups);
  $("candidate-order").addEventListener("change", renderGroups);
}
