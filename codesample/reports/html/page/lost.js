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
  const told = [
    `${solvable} of ${count(page.problems.length, "problem")} have a candidate that passes.`,
    lost.length === 0
      ? "It picks a passing one in every one of them."
      : `It picks a failing one in ${surely}` +
        (lost.length > surely ? ` and leaves ${lost.length - surely} to a tie between passing and failing ones.` : "."),
  ];
  if (unsolved) told.push(`In the other ${unsolved} nothing passes, so no choice could help.`);
  $("lost-told").textContent = told.join(" ");
  const most = 50;
  $("lost-rows").replaceChildren(...lost.slice(0, most).map((problem, at) => lostRow(problem, at === 0)));
  $("lost-more").hidden = lost.length <= most;
  $("lost-more").textContent = `See all ${lost.length} in the list of problems`;
}

function lostRow(problem, open) {
  const choice = choiceOf(problem);
  const letter = problem.verdicts[choice.pick];
  const reason = choice.reason === null ? "" : page.reasons[choice.reason];
  const why = make("span", { class: "why" }, verdictBadge(letter));
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

function rankText(choice) {
  if (choice.pickScore === null) return `no score for any: one at random, of which ${percent(choice.chance)} pass`;
  if (choice.chance > 0) return `${count(choice.tied, "candidate")} share the top score, ${percent(choice.chance)} of them pass`;
  const score = `pick ${scoreText(choice.pickScore)}, best passing ${scoreText(choice.passingScore)}`;
  return `${score}, in place ${choice.rank}`;
}

/** The pick beside the best-scored candidate that passes. */
async function pairOf(problem, choice) {
  const part = await problemPart(problem.at);
  const [one, other] = [choice.pick, choice.passing];
  const programs = [one, other].map((at) => part.texts[part.candidates[at].program]);
  const [gone, fresh] = differingLines(programs[0], programs[1]);
  const pair = make(
    "div",
    { class: "pair" },
    paneOf(problem, part, one, "What it picks", choice.pickScore, gone),
    paneOf(problem, part, other, "The best-scored one that passes", choice.passingScore, fresh),
  );
  return make(
    "div",
    {},
    pair,
    make("details", {}, make("summary", { text: "Hidden tests" }), codeBlock(part.tests, { label: `Hidden tests of ${problem.id}` })),
    make("p", {}, make("a", { href: linkTo(problem, one), text: `All about ${problem.id}` })),
  );
}

function paneOf(problem, part, at, heading, score, marks) {
  const row = part.candidates[at];
  const number = indexOf(problem, at);
  const head = make("h3", { class: "small" }, `${heading}: `, make("a", { href: linkTo(problem, at), text: `candidate ${number}` }));
  const label = `Program of candidate ${number} of ${problem.id}`;
  return make(
    "section",
    { class: "pane" },
    head,
    make("p", {}, verdictBadge(problem.verdicts[at]), ` score ${scoreText(score)}`),
    failureOf(part, row),
    codeBlock(part.texts[row.program], { label, marks }),
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
  if (!check && /^AssertionError:?\s*$/.test(detail)) {
    block.append(make("p", { text: "The hidden tests are one piece: the verdict does not say which statement failed." }));
  }
  return block;
}
