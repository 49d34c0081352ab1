// Problems by candidates as a map of verdicts: colour and sign, drawn only where one looks.

const heat = { problems: [], cell: 12, row: 14, label: 120, order: "index", orders: null, at: [0, 0], told: false, waiting: false };

/** Order of a problem's candidates on the map: a list of positions. */
function heatOrder(problem) {
  if (heat.order === "score" && heat.orders) return heat.orders[problem.at];
  const all = [...problem.verdicts].map((_, at) => at);
  if (heat.order !== "verdict") return all;
  const rank = "pkwecutmoh";
  return all.sort((a, b) => rank.indexOf(problem.verdicts[a]) - rank.indexOf(problem.verdicts[b]) || a - b);
}

async function orderHeat() {
  heat.order = $("heat-order").value;
  heat.orders = null;
  if (heat.order === "score" && page.reranker !== null) {
    const columns = await scoresOf(page.reranker);
    heat.orders = columns.map((scores) => [...scores.keys()].sort((a, b) => below(scores[b]) - below(scores[a]) || a - b));
  }
  drawHeat();
}

const below = (score) => (score === null ? -Infinity : score);

function heatWidth() {
  return page.problems.reduce((most, problem) => Math.max(most, problem.verdicts.length), 1);
}

/** Fit cells to the frame: all candidates of a problem at once where there is room for four pixels each. */
function fitHeat() {
  const frame = $("heat-frame");
  const room = frame.clientWidth;
  heat.label = room < 500 ? 44 : 120;
  heat.cell = Math.max(4, Math.min(26, Math.floor((room - heat.label) / heatWidth())));
  heat.row = Math.max(10, Math.min(16, heat.cell + 2));
  $("heat-room").style.width = `${heat.label + heat.cell * heatWidth()}px`;
  $("heat-room").style.height = `${heat.row * heat.problems.length}px`;
  frame.style.height = `${Math.min(heat.row * heat.problems.length + 4, Math.round(window.innerHeight * 0.6))}px`;
}

/** Draw the map before the next frame, once, however often it is asked for. */
function drawHeat() {
  if (heat.waiting) return;
  heat.waiting = true;
  requestAnimationFrame(() => {
    heat.waiting = false;
    paintHeat();
  });
}

function paintHeat() {
  const frame = $("heat-frame");
  const canvas = $("heat-map");
  if (!frame.clientWidth) return;
  fitHeat();
  const [width, height] = [frame.clientWidth, frame.clientHeight];
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const fills = Object.fromEntries(["pass", "fail", "error", "limit", "none"].map((kind) => [kind, colour(`cell-${kind}`)]));
  const ink = { mark: colour("cell-mark"), text: colour("ink"), page: colour("page"), accent: colour("accent") };
  pen.fillStyle = ink.page;
  pen.fillRect(0, 0, width, height);
  const first = Math.floor(frame.scrollTop / heat.row);
  const last = Math.min(heat.problems.length, Math.ceil((frame.scrollTop + height) / heat.row));
  const signs = new Path2D();
  for (let row = first; row < last; row++) {
    const problem = heat.problems[row];
    const top = row * heat.row - frame.scrollTop;
    heatOrder(problem).forEach((position, column) => {
      const left = heat.label + column * heat.cell - frame.scrollLeft;
      if (left < heat.label - heat.cell || left > width) return;
      drawCell(pen, signs, left, top, VERDICTS[problem.verdicts[position]].kind, fills);
    });
  }
  pen.strokeStyle = ink.mark;
  pen.lineWidth = 1;
  pen.stroke(signs);
  if (heat.label) {
    pen.fillStyle = ink.page;
    pen.fillRect(0, 0, heat.label - 4, height);
    pen.fillStyle = ink.text;
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    for (let row = first; row < last; row++) {
      pen.fillText(fitted(pen, heat.problems[row].id, heat.label - 14, heat.label < 100), 6, (row + 0.5) * heat.row - frame.scrollTop);
    }
  }
  if (heat.told) outlineCell(pen, frame, ink);
}

/** Fill a cell; failures get a sign by their kind, so that colour is not all that tells them apart. */
function drawCell(pen, signs, left, top, kind, fills) {
  const [width, height] = [heat.cell - 1, heat.row - 1];
  if (pen.fillStyle !== fills[kind]) pen.fillStyle = fills[kind];
  pen.fillRect(left, top, width, height);
  const [right, bottom, middle] = [left + width - 1, top + height - 2, top + height / 2];
  if (kind === "fail" || kind === "error") {
    signs.moveTo(left + 1, bottom);
    signs.lineTo(right, top + 2);
  }
  if (kind === "error") {
    signs.moveTo(left + 1, top + 2);
    signs.lineTo(right, bottom);
  }
  if (kind === "limit") {
    signs.moveTo(left + 1, middle);
    signs.lineTo(right, middle);
  }
}

/** As much of an id as has room: its end, or where there is little room the number that it ends in. */
function fitted(pen, id, room, short) {
  const text = short ? (/[^/]*$/.exec(id)[0] || id) : id;
  if (pen.measureText(text).width <= room) return text;
  let shown = text;
  while (shown.length > 1 && pen.measureText(`…${shown}`).width > room) shown = shown.slice(1);
  return `…${shown}`;
}

function outlineCell(pen, frame, ink) {
  const [row, column] = heat.at;
  const left = heat.label + column * heat.cell - frame.scrollLeft;
  const top = row * heat.row - frame.scrollTop;
  pen.lineWidth = 2;
  pen.strokeStyle = ink.page;
  pen.strokeRect(left - 3, top - 3, heat.cell + 5, heat.row + 5);
  pen.strokeStyle = ink.accent;
  pen.strokeRect(left - 1.5, top - 1.5, heat.cell + 2, heat.row + 2);
}

/** The cell below a point of the screen: [row, column], or null. */
function cellAt(event) {
  const frame = $("heat-frame");
  const box = $("heat-map").getBoundingClientRect();
  const row = Math.floor((event.clientY - box.top + frame.scrollTop) / heat.row);
  const column = Math.floor((event.clientX - box.left + frame.scrollLeft - heat.label) / heat.cell);
  const problem = heat.problems[row];
  if (!problem || event.clientX - box.left < heat.label || column < 0 || column >= problem.verdicts.length) return null;
  return [row, column];
}

function cellText([row, column]) {
  const problem = heat.problems[row];
  const position = heatOrder(problem)[column];
  return `${problem.id}, candidate ${indexOf(problem, position)}: ${VERDICTS[problem.verdicts[position]].name}`;
}

function openCell([row, column]) {
  const problem = heat.problems[row];
  location.hash = linkTo(problem, heatOrder(problem)[column]);
}

/** Go to a cell by keys: bring it into sight, and say what it is. */
function walkHeat(row, column) {
  const frame = $("heat-frame");
  const down = Math.max(0, Math.min(heat.problems.length - 1, row));
  const across = Math.max(0, Math.min(heat.problems[down].verdicts.length - 1, column));
  heat.at = [down, across];
  heat.told = true;
  const [top, left] = [down * heat.row, heat.label + across * heat.cell];
  frame.scrollTop = Math.min(top, Math.max(frame.scrollTop, top + heat.row - frame.clientHeight));
  frame.scrollLeft = Math.min(left - heat.label, Math.max(frame.scrollLeft, left + heat.cell - frame.clientWidth));
  drawHeat();
  $("heat-told").textContent = cellText(heat.at);
}

function startHeat() {
  const canvas = $("heat-map");
  const there = new Set(page.problems.flatMap((problem) => [...problem.verdicts].map((letter) => VERDICTS[letter].kind)));
  for (const key of document.querySelectorAll(".legend [data-kind]")) key.hidden = !there.has(key.dataset.kind);
  $("heat-order").addEventListener("change", orderHeat);
  $("heat-frame").addEventListener("scroll", drawHeat, { passive: true });
  let width = 0;
  new ResizeObserver(([entry]) => {
    if (entry.contentRect.width !== width) drawHeat();
    width = entry.contentRect.width;
  }).observe($("heat"));
  canvas.addEventListener("pointermove", (event) => {
    const cell = cellAt(event);
    canvas.style.cursor = cell ? "pointer" : "default";
    if (cell) $("heat-told").textContent = cellText(cell);
  });
  canvas.addEventListener("click", (event) => {
    const cell = cellAt(event);
    if (cell) openCell(cell);
  });
  canvas.addEventListener("focus", () => heat.problems.length && walkHeat(...heat.at));
  canvas.addEventListener("blur", () => {
    heat.told = false;
    drawHeat();
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !heat.problems.length) return;
    const [row, column] = heat.at;
    const steps = {
      ArrowDown: [row + 1, column],
      ArrowUp: [row - 1, column],
      ArrowRight: [row, column + 1],
      ArrowLeft: [row, column - 1],
      PageDown: [row + 20, column],
      PageUp: [row - 20, column],
      Home: [row, 0],
      End: [row, heatWidth()],
    };
    if (event.key === "Enter" || event.key === " ") openCell(heat.at);
    else if (steps[event.key]) walkHeat(...steps[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
