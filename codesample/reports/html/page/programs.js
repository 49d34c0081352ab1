// Programs as they are read: what only repeats the prompt or is equal in both is folded, so that the rest is seen.

// lines that repeat the prompt are folded from this many on; equal ones from that many, but for some at the ends
const LEAST_REPEATED = 3;
const LEAST_EQUAL = 9;
const KEPT_EQUAL = 3;
const MOST_LINES = 120;

const squeezed = (text) => text.replace(/"""|'''/g, " ").replace(/\s+/g, " ").trim();

/** What a problem's prompt says, to know it again: its lines, and its words wherever their lines end. */
function askedOf(part) {
  if (!part.said) {
    const text = part.prompt.map((turn) => turn[1]).join("\n");
    part.said = { lines: new Set(text.split("\n").map((line) => line.trim())), words: squeezed(text) };
  }
  return part.said;
}

/** The lines of a program: their pieces, whether they only say something, and whether the prompt says the same. */
function programLines(text, asked) {
  const all = lines(pythonPieces(text.replace(/\n+$/, "")));
  return all.map((pieces) => {
    const own = pieces.map(([part]) => part).join("").trimEnd();
    const words = pieces.every(([part, kind]) => kind === "comment" || !part.trim());
    const told = asked && words ? squeezed(own) : "";
    const repeated = !!asked && (words ? !told || asked.words.includes(told) : asked.lines.has(own.trim()));
    return { pieces, own, words, repeated, blank: !own, head: /^\s*(async\s+)?(def|class)\b/.test(own) };
  });
}

/**
 * Marks of the lines of each of two programs that the other one lacks, the longest common part stays; and of the
 * line behind which one lacks what the other has. Nothing where they do not differ, or are too long to tell.
 */
function differingLines(one, other, asked) {
  // where lines of the prompt's own words end makes no difference, nor do blank lines
  const telling = (text) =>
    programLines(text, asked).flatMap((line, at) => (line.blank || (line.words && line.repeated) ? [] : [{ own: line.own, at, words: line.words }]));
  const [a, b] = [telling(one), telling(other)];
  const [left, right] = [new Map(), new Map()];
  if (a.length * b.length > 400000) return [undefined, undefined];
  const width = b.length + 1;
  const best = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      best[i * width + j] =
        a[i].own === b[j].own
          ? best[(i + 1) * width + j + 1] + 1
          : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
  let i = 0;
  let j = 0;
  let [since, until] = [0, 0];
  const lacking = () => {
    if (i === since && i > 0 && b.slice(until, j).some((line) => !line.words)) left.set(a[i - 1].at, "lacks");
    if (j === until && j > 0 && a.slice(since, i).some((line) => !line.words)) right.set(b[j - 1].at, "lacks");
  };
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i].own === b[j].own) {
      lacking();
      [since, until] = [++i, ++j];
    } else if (j >= b.length || (i < a.length && best[(i + 1) * width + j] >= best[i * width + j + 1])) left.set(a[i++].at, "gone");
    else right.set(b[j++].at, "new");
  }
  lacking();
  return left.size || right.size ? [left, right] : [undefined, undefined];
}

/** What the marks of two programs that stand side by side mean, of those that occur; null where none does. */
function marksLegend(left, right) {
  const present = new Set([...(left?.values() ?? []), ...(right?.values() ?? [])]);
  const told = [
    ["gone", "− 1", "only in the left one"],
    ["new", "+ 1", "only in the right one"],
    ["lacks", "1", "green line below: the other one goes on with lines that are missing here"],
  ].filter(([mark]) => present.has(mark));
  const parts = told.flatMap(([mark, sign, what]) => [make("span", { class: `mark-key ${mark}`, "aria-hidden": "true", text: sign }), ` ${what} `]);
  return told.length ? make("p", { class: "legend marks-legend" }, ...parts) : null;
}

/** Which runs of lines are folded: [from, to, what they are], in order. */
function folds(all, marks) {
  const found = [];
  const runs = (wanted, take) => {
    let from = 0;
    for (let at = 0; at <= all.length; at++) {
      if (at < all.length && wanted(all[at], at)) continue;
      if (at > from) take(from, at);
      from = at + 1;
    }
  };
  runs(
    (line, at) => line.repeated && !line.head && !marks?.has(at),
    (from, to) => {
      while (from < to && all[from].blank) from++;
      while (to > from && all[to - 1].blank) to--;
      if (to - from >= LEAST_REPEATED) found.push([from, to, "as in the prompt"]);
    },
  );
  if (marks) {
    const taken = (at) => found.some(([from, to]) => from <= at && at < to);
    const equal = [];
    runs(
      (_, at) => !marks.has(at) && !taken(at),
      (from, to) => to - from >= LEAST_EQUAL && equal.push([from + KEPT_EQUAL, to - KEPT_EQUAL, "equal in both"]),
    );
    found.push(...equal);
  }
  found.sort((a, b) => a[0] - b[0]);
  const hidden = found.reduce((sum, [from, to]) => sum + to - from, 0);
  if (all.length - hidden > MOST_LINES + KEPT_EQUAL) {
    // of a very long one, the rest of all
    const before = found.filter(([, to]) => to <= MOST_LINES);
    const from = Math.max(MOST_LINES, ...before.map(([, to]) => to));
    return [...before, [from, all.length, "more"]];
  }
  return found;
}

/**
 * Show a program with a number before each line.
 * `marks` holds lines that differ from another program, `asked` what the prompt says.
 */
function codeBlock(text, { label, marks, asked } = {}) {
  const block = make("pre", { class: "code", tabindex: "0", role: "region", "aria-label": label });
  const fill = (shown) => {
    block.replaceChildren();
    const all = programLines(shown, asked);
    const folded = folds(all, marks);
    for (let at = 0; at < all.length; at++) {
      const fold = folded.find(([from]) => from === at);
      if (fold) at = appendFold(block, all, fold, marks) - 1;
      else block.append(lineOf(all[at], at, marks), "\n");
    }
    if (!shown) block.replaceChildren(make("span", { class: "empty", text: "(empty)" }));
  };
  return withRest(block, text, fill);
}

function lineOf(read, at, marks) {
  const mark = marks?.get(at);
  const line = make("span", { class: ["line", mark, mark && read.words ? "words" : ""].filter(Boolean).join(" ") });
  line.style.setProperty("--number", at + 1);
  if (mark) line.append(make("span", { class: "spoken", text: mark === "lacks" ? "lines are missing behind this one: " : "differs: " }));
  for (const [part, kind] of read.pieces) {
    if (kind) line.append(appendText(make("span", { class: `code-${kind}` }), part));
    else appendText(line, part);
  }
  return line;
}

/** Append a button that stands for lines, and gives way to them. */
function appendFold(block, all, [from, to, what], marks) {
  const button = make("button", {
    type: "button",
    class: "fold",
    text: what === "more" ? `⋯ ${count(to - from, "more line")}` : `⋯ ${count(to - from, "line")} ${what}`,
    on: {
      click: () => {
        const opened = all.slice(from, to).flatMap((line, at) => [lineOf(line, from + at, marks), "\n"]);
        // the last line end is there already
        button.replaceWith(...opened.slice(0, -1));
        block.focus({ preventScroll: true });
      },
    },
  });
  block.append(button, "\n");
  return to;
}
