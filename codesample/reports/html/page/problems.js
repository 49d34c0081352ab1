// The list of problems: filtered, searched and sorted; the heat map shows the same ones.

const AT_ONCE = 200;

const list = { shown: [], open: AT_ONCE, hits: null, search: 0 };

function passes(problem) {
  let passed = 0;
  for (const letter of problem.verdicts) if (letter === "p") passed++;
  return passed;
}

function graded(problem) {
  let number = 0;
  for (const letter of problem.verdicts) if (letter !== "h" && letter !== "k") number++;
  return number;
}

function choiceOf(problem, reranker = page.reranker) {
  return reranker === null ? null : problem.choices[reranker];
}

/** Whether the current reranker may choose a failing candidate where another one passes. */
function isLost(problem) {
  const choice = choiceOf(problem);
  return choice !== null && choice.passing !== null && choice.chance < 1;
}

const OUTCOMES = {
  all: () => true,
  lost: isLost,
  won: (problem) => problem.passed > 0 && !isLost(problem) && choiceOf(problem) !== null,
  mixed: (problem) => problem.passed > 0 && problem.passed < problem.graded,
  none: (problem) => problem.passed === 0 && problem.graded > 0,
  every: (problem) => problem.passed === problem.graded && problem.graded > 0,
  ungraded: (problem) => problem.graded === 0,
};

const ORDERS = {
  task: () => 0,
  fewest: (a, b) => share(a) - share(b),
  most: (a, b) => share(b) - share(a),
  lost: (a, b) => lostShare(b) - lostShare(a) || share(b) - share(a),
  "lost-by-most": (a, b) => lostByAll(b) - lostByAll(a) || share(b) - share(a),
  id: (a, b) => a.id.localeCompare(b.id, "en", { numeric: true }),
};

function share(problem) {
  return problem.graded ? problem.passed / problem.graded : -1;
}

function lostShare(problem, reranker = page.reranker) {
  const choice = choiceOf(problem, reranker);
  return choice !== null && choice.passing !== null ? 1 - choice.chance : 0;
}

/** How many rerankers lose a problem, ties by their share. */
function lostByAll(problem) {
  return page.rerankers.reduce((sum, _, at) => sum + lostShare(problem, at), 0);
}

/** Take the filters as they stand, and show what they let through. */
function applyFilters() {
  const outcome = OUTCOMES[$("filter-outcome").value];
  const status = $("filter-status").value;
  const order = ORDERS[$("order").value];
  const found = page.problems.filter(
    (problem) =>
      outcome(problem) &&
      (status === "any" || problem.verdicts.includes(status)) &&
      (list.hits === null || list.hits.has(problem.at)),
  );
  list.shown = found.sort((a, b) => order(a, b) || a.at - b.at);
  list.open = AT_ONCE;
  renderList();
  heat.problems = list.shown;
  drawHeat();
}

function renderList() {
  const body = $("problem-rows");
  const choosing = page.reranker !== null;
  body.replaceChildren(...list.shown.slice(0, list.open).map((problem) => problemRow(problem, choosing)));
  const rest = list.shown.length - list.open;
  $("more-problems").hidden = rest <= 0;
  $("more-problems").textContent = `Show ${Math.min(rest, AT_ONCE)} more of ${rest}`;
  $("problem-count").textContent = list.shown.length
    ? `${list.shown.length} of ${count(page.problems.length, "problem")} shown`
    : "No problem fits these filters.";
}

function problemRow(problem, choosing) {
  const link = appendText(make("a", { href: linkTo(problem), dir: "auto" }), problem.id);
  const row = make(
    "tr",
    { "data-at": problem.at },
    make("th", { scope: "row" }, link, appendText(make("span", { class: "title" }), problem.title)),
    make("td", { class: "share" }, passBar(problem)),
  );
  if (choosing) row.append(make("td", { class: "outcome" }, outcomeBadge(problem)));
  return row;
}

function passBar(problem) {
  const bar = make("span", { class: "pass-bar", "aria-hidden": "true" }, make("span", {}));
  bar.firstChild.style.width = `${problem.graded ? (100 * problem.passed) / problem.graded : 0}%`;
  return make("span", { class: "pass-share" }, bar, `${problem.passed} of ${problem.graded}`);
}

/** What the current reranker makes of a problem, in a word. */
function outcomeBadge(problem) {
  const choice = choiceOf(problem);
  if (choice === null) return make("span", { class: "badge none", text: "– not judged" });
  if (choice.passing === null) return make("span", { class: "badge none", text: "– none passes" });
  if (choice.chance === 1) return make("span", { class: "badge pass", text: "✓ picks a pass" });
  if (choice.chance === 0) return make("span", { class: "badge fail", text: "✗ lost" });
  return make("span", { class: "badge limit", text: `◐ tie, ${percent(choice.chance)}` });
}

/** Search ids and titles at once, then texts, problem by problem. */
async function search() {
  const wanted = $("search").value.trim().toLowerCase();
  const mine = ++list.search;
  if (!wanted) {
    list.hits = null;
    $("search-state").textContent = "";
    applyFilters();
    return;
  }
  const everywhere = $("search-where").value === "texts";
  const names = (problem) => `${problem.id} ${problem.title}`.toLowerCase();
  list.hits = new Set(page.problems.filter((problem) => names(problem).includes(wanted)).map((each) => each.at));
  applyFilters();
  if (!everywhere) {
    $("search-state").textContent = "";
    return;
  }
  let last = performance.now();
  for (const problem of page.problems) {
    const part = await unpack(`data-problem-${problem.at}`);
    if (mine !== list.search) return;
    const texts = [...part.prompt.map((turn) => turn[1]), ...part.texts, ...part.details];
    if (texts.some((text) => text.toLowerCase().includes(wanted))) list.hits.add(problem.at);
    if (performance.now() - last > 200) {
      last = performance.now();
      $("search-state").textContent = `searched ${problem.at + 1} of ${page.problems.length} …`;
      applyFilters();
      await pause();
      if (mine !== list.search) return;
    }
  }
  $("search-state").textContent = "";
  applyFilters();
}

function startList() {
  for (const id of ["filter-outcome", "filter-status", "order"]) $(id).addEventListener("change", applyFilters);
  let waiting = 0;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 150);
  };
  $("search").addEventListener("input", later);
  $("search-where").addEventListener("change", search);
  $("more-problems").addEventListener("click", () => {
    list.open += AT_ONCE;
    renderList();
  });
  $("clear-filters").addEventListener("click", () => {
    $("search").value = "";
    $("filter-outcome").value = "all";
    $("filter-status").value = "any";
    $("order").value = "task";
    search();
    announce("Filters cleared");
  });
  const present = new Set(page.problems.flatMap((problem) => [...new Set(problem.verdicts)]));
  for (const [letter, verdict] of Object.entries(VERDICTS)) {
    if (present.has(letter)) $("filter-status").append(make("option", { value: letter, text: verdict.name }));
  }
}
