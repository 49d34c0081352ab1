// Where one is in the page, what the keys do, and the choice of reranker and of light or dark.

const page = { problems: [], rerankers: [], ranked: [], words: [], narrowing: [], members: [], reasons: [], reranker: null, byId: new Map(), beside: true, back: 0, keys: true };
const SECTIONS = ["top", "lost", "figures", "problems", "heat", "about"];

function encoded(id) {
  return encodeURIComponent(id).replaceAll("%2F", "/");
}

/** Whether a link can spell an id: half a surrogate pair has no spelling. */
function isSpelt(id) {
  return !/\p{Cs}/u.test(id);
}

/** The link to a problem or to one of its candidates: #id, #id/index. */
function linkTo(problem, position = null) {
  const end = position === null ? "" : `/${indexOf(problem, position)}`;
  if (!isSpelt(problem.id)) return `#=${problem.at}${end}`;
  const link = `#${encoded(problem.id)}${end}`;
  const found = placeOf(link);
  if (found.problem === problem && found.position === position) return link;
  // an id that could be taken for something else is spelt without a slash of its own
  return `#:${encodeURIComponent(problem.id)}${end}`;
}

/** What a link leads to: a section, a problem, or a problem's candidate. */
function placeOf(hash) {
  const text = hash.replace(/^#/, "");
  if (SECTIONS.includes(text) || text === "") return { section: text || "top" };
  const [, mark, rest] = /^([:=]?)(.*)$/su.exec(text);
  const slash = rest.lastIndexOf("/");
  const named = (part) => (mark === "=" ? page.problems[Number(part)] : page.byId.get(decoded(part)));
  // with a mark, only an index stands behind a slash; without one, the whole may be an id
  const whole = mark && slash >= 0 ? undefined : named(rest);
  if (whole) return { problem: whole, position: null };
  const nowhere = { section: "problems", missing: decoded(text) };
  const problem = slash < 0 ? undefined : named(rest.slice(0, slash));
  if (!problem || !/^\d+$/.test(rest.slice(slash + 1))) return nowhere;
  const position = positionOf(problem, Number(rest.slice(slash + 1)));
  return position < 0 ? { problem, position: null, missing: nowhere.missing } : { problem, position };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function go() {
  const place = placeOf(location.hash);
  const [came, from] = [page.from, !$("problem-view").hidden ? view.problem : null];
  const problemShown = !$("problem-view").hidden;
  if (place.missing) announce(`There is no ${place.missing} on this page`);
  $("missing").hidden = !place.missing;
  if (place.missing) appendText(($("missing").replaceChildren(), $("missing")), `There is no “${place.missing}” on this page.`);
  if (place.problem) {
    if (!problemShown) {
      page.back = page.ready ? window.scrollY : null;
      page.from = document.activeElement?.closest?.("details.lost") ? "lost" : "list";
    }
    const before = view.problem;
    $("overview").hidden = true;
    $("problem-view").hidden = false;
    document.title = `${place.problem.id} · ${page.title}`;
    await showProblem(place.problem, place.position);
    if (!problemShown || before !== place.problem) {
      const named = place.position !== null;
      if (named) $("candidates-heading").scrollIntoView();
      else window.scrollTo(0, 0);
      $(named ? "candidate-name" : "problem-name").focus({ preventScroll: true });
    } else {
      showCandidate();
      announce(`Candidate ${indexOf(place.problem, view.position)}, ${VERDICTS[place.problem.verdicts[view.position]].name}`);
    }
    return;
  }
  document.title = page.title;
  $("problem-view").hidden = true;
  $("overview").hidden = false;
  drawHeat();
  // where one came from, by the keys and links of the page or by the browser's own way back
  const back = problemShown && (location.hash === "#problems" || (came === "lost" && location.hash !== "#lost"));
  if (back && page.back !== null) window.scrollTo(0, page.back);
  else if (location.hash) $(place.section)?.scrollIntoView();
  if (!problemShown) return;
  const row = document.querySelector(`#problem-rows tr[data-at="${from?.at}"] a`);
  const lost = came === "lost" ? document.querySelector(`details.lost[data-at="${from?.at}"] summary`) : null;
  (lost ?? row ?? $("problems")).focus({ preventScroll: true });
}

/** Bring the candidate into sight, where it changed out of it. */
function showCandidate() {
  const box = $("candidate").getBoundingClientRect();
  if (box.top < 0 || box.top > window.innerHeight - 80) $("candidate").scrollIntoView();
}

function showLost() {
  if (!$("problem-view").hidden || location.hash !== "#lost") location.hash = "#lost";
  // behind what the way there itself brings into sight
  setTimeout(() => {
    $("lost")?.scrollIntoView();
    $("lost-heading")?.focus({ preventScroll: true });
  });
}

/** Take another reranker for everything that shows one. */
function chooseReranker(at) {
  page.reranker = at;
  for (const figure of document.querySelectorAll("[data-reranker]")) figure.hidden = Number(figure.dataset.reranker) !== at;
  for (const name of document.querySelectorAll(".reranker-name")) name.textContent = page.rerankers[at];
  renderLost();
  applyFilters();
  if (heat.order === "score") orderHeat();
  if (view.problem && !$("problem-view").hidden) {
    renderPicks();
    renderGroups();
  }
}

/** Curves of a chart can be hidden and shown by the buttons below it. */
function startLegends() {
  for (const button of document.querySelectorAll(".series-legend button")) {
    const figure = button.closest("figure");
    const marks = [...figure.querySelectorAll("svg [aria-label]")].filter((mark) => mark.getAttribute("aria-label").startsWith(`${button.dataset.series}: `));
    // the bands of all would hide one another: all but the best one's show where one points at its button
    for (const mark of marks) if (!button.dataset.best && mark.getAttribute("aria-label").endsWith("interval")) mark.classList.add("band");
    const show = (shown) => {
      button.setAttribute("aria-pressed", String(shown));
      for (const mark of marks) mark.classList.toggle("off", !shown);
    };
    button.addEventListener("click", () => show(button.getAttribute("aria-pressed") !== "true"));
    button.addEventListener("pointerenter", () => marks.forEach((mark) => mark.classList.add("strong")));
    button.addEventListener("pointerleave", () => marks.forEach((mark) => mark.classList.remove("strong")));
    show(button.getAttribute("aria-pressed") === "true");
  }
}

/** Say what a mark of a chart stands for, where one points. */
function startTips() {
  const tip = $("tip");
  document.addEventListener("pointerover", (event) => {
    const mark = event.target.closest?.("figure svg [aria-label]");
    const label = mark?.getAttribute("aria-label");
    tip.hidden = !label || mark.getAttribute("aria-roledescription") === "axis";
    if (!tip.hidden) tip.textContent = label;
  });
  for (const gone of ["keydown", "hashchange", "scroll"]) window.addEventListener(gone, () => (tip.hidden = true), { passive: true });
  document.addEventListener("pointermove", (event) => {
    if (tip.hidden) return;
    tip.style.left = `${Math.min(event.clientX + 12, window.innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 10)}px`;
  });
}

function kept(name, value) {
  // pages opened from a file may be refused storage
  try {
    if (value !== undefined) localStorage.setItem(`codesample-${name}`, value);
    return localStorage.getItem(`codesample-${name}`);
  } catch {
    return value ?? null;
  }
}

function setTheme(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  $("theme").value = theme || "auto";
  drawHeat();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !page.keys) return;
  if ($("help").open) return;
  const typing = event.target.closest?.("input, select, textarea");
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (!$("problem-view").hidden) location.hash = "#problems";
    return;
  }
  if (typing) return;
  const inProblem = !$("problem-view").hidden;
  const acts = {
    "/": () => {
      if (inProblem) location.hash = "#problems";
      setTimeout(() => {
        $("search").scrollIntoView({ block: "center" });
        $("search").focus();
      });
    },
    "?": () => $("help").showModal(),
    j: () => (inProblem ? stepGroup(1) : stepRow(1)),
    k: () => (inProblem ? stepGroup(-1) : stepRow(-1)),
    n: () => inProblem && !$("next-problem").hidden && $("next-problem").click(),
    p: () => inProblem && !$("previous-problem").hidden && $("previous-problem").click(),
    l: () => page.reranker !== null && showLost(),
  };
  if (inProblem && document.activeElement?.closest?.("pre, .scroll, .tokens, summary") === null) {
    acts.ArrowDown = acts.j;
    acts.ArrowUp = acts.k;
    acts.ArrowRight = acts.n;
    acts.ArrowLeft = acts.p;
  }
  if (!acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
}

/** Go to the next problem of the list, or the one before. */
function stepRow(step) {
  const links = [...document.querySelectorAll("#problem-rows a")];
  const at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? 0 : at + step];
  if (next) {
    next.focus();
    next.closest("tr").scrollIntoView({ block: "nearest" });
  } else if (step > 0 && !$("more-problems").hidden) {
    $("more-problems").click();
    document.querySelectorAll("#problem-rows a")[at + 1]?.focus();
  }
}

async function start() {
  page.title = document.title;
  setTheme(kept("theme"));
  $("theme").addEventListener("change", (event) => setTheme(kept("theme", event.target.value)));
  const index = await unpack("data-index");
  Object.assign(page, { rerankers: index.rerankers, ranked: index.ranked, words: index.words, narrowing: index.narrowing, members: index.members, reasons: index.reasons });
  page.problems = index.problems.map((problem, at) => ({ ...problem, at, choices: problem.picks.map(readChoice) }));
  for (const problem of page.problems) {
    problem.passed = passes(problem);
    problem.graded = graded(problem);
    page.byId.set(problem.id, problem);
  }
  startList();
  startHeat();
  startProblem();
  startLegends();
  startTips();
  page.keys = kept("keys") !== "off";
  $("keys").checked = page.keys;
  $("keys").addEventListener("change", (event) => {
    page.keys = event.target.checked;
    kept("keys", page.keys ? "on" : "off");
  });
  $("open-help").addEventListener("click", () => $("help").showModal());
  for (const id of ["reranker", "reranker-in-problem"]) {
    const select = $(id);
    if (!select) continue;
    select.addEventListener("change", () => {
      for (const other of ["reranker", "reranker-in-problem"]) $(other).value = select.value;
      chooseReranker(Number(select.value));
    });
  }
  // what the tile counts is what the reranker shown first loses
  document.querySelector(".tile a")?.addEventListener("click", () => {
    if (page.reranker === index.best) return;
    for (const id of ["reranker", "reranker-in-problem"]) $(id).value = String(index.best);
    chooseReranker(index.best);
  });
  $("lost-more")?.addEventListener("click", () => {
    $("filter-outcome").value = "lost";
    $("order").value = "lost";
    applyFilters();
    location.hash = "#problems";
  });
  if (index.best !== null) {
    for (const id of ["reranker", "reranker-in-problem"]) $(id).value = String(index.best);
    chooseReranker(index.best);
  } else applyFilters();
  window.addEventListener("hashchange", go);
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details.lost")) details.open = true;
  });
  document.addEventListener("keydown", onKey);
  await go();
  page.ready = true;
  document.documentElement.dataset.milliseconds = Math.round(performance.now());
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  $("failed").hidden = false;
  $("failed").append(` (${error.name}: ${error.message})`);
});
