// Text of programs and models, which nobody may trust: shown as it is, never as markup, and nothing in it unseen.

// controls, marks of direction, blanks that look like others, surrogates without a partner
const UNSEEN =
  /(?![ \t\n])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Z}\u115f\u1160\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;
const FIRST_SHOWN = 20000;

/** Append text to an element; what is not seen stands as its number. */
function appendText(element, text) {
  let from = 0;
  for (const found of text.matchAll(UNSEEN)) {
    if (found.index > from) element.append(text.slice(from, found.index));
    const number = `U+${found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    element.append(make("span", { class: "unseen", text: `<${number}>` }));
    from = found.index + found[0].length;
  }
  if (from < text.length) element.append(text.slice(from));
  return element;
}

const KEYWORDS = new Set(
  ("False None True and as assert async await break class continue def del elif else except finally for from " +
    "global if import in is lambda nonlocal not or pass raise return try while with yield match case").split(" "),
);
const BUILTINS = new Set(
  ("abs all any bin bool bytes callable chr dict dir divmod enumerate eval exec filter float format frozenset " +
    "getattr hasattr hash hex id input int isinstance issubclass iter len list map max min next object oct open " +
    "ord pow print range repr reversed round set setattr slice sorted str sum super tuple type vars zip").split(" "),
);
// one alternative for each kind; a text that does not end in its line goes as far as the line does
const PYTHON = new RegExp(
  [
    "(#[^\\n]*)",
    "([rRbBfFuU]{0,2}(?:\"\"\"(?:[^\\\\]|\\\\[^])*?(?:\"\"\"|$)|'''(?:[^\\\\]|\\\\[^])*?(?:'''|$)" +
      '|"(?:[^"\\\\\\n]|\\\\[^])*"?' +
      "|'(?:[^'\\\\\\n]|\\\\[^])*'?))",
    "(@[\\w.]+)",
    "(\\b(?:0[xXoObB][\\da-fA-F_]+|\\d[\\d_]*(?:\\.[\\d_]*)?(?:[eE][+-]?\\d+)?j?)\\b)",
    "([\\p{L}_][\\p{L}\\p{N}_]*)",
  ].join("|"),
  "gu",
);

/** Split Python into pieces with a kind each: [text, "keyword" | "string" | ... | ""]. */
function pythonPieces(text) {
  const pieces = [];
  let from = 0;
  let defines = false;
  for (const found of text.matchAll(PYTHON)) {
    if (found.index > from) pieces.push([text.slice(from, found.index), ""]);
    const [whole, comment, string, decorator, number, word] = found;
    const says = comment || (string && isDocstring(text, found.index, whole));
    let kind = says ? "comment" : string ? "string" : decorator ? "name" : number ? "number" : "";
    if (word) {
      kind = defines ? "name" : KEYWORDS.has(word) ? "keyword" : BUILTINS.has(word) ? "builtin" : "";
      defines = word === "def" || word === "class";
    }
    pieces.push([whole, kind]);
    from = found.index + whole.length;
  }
  if (from < text.length) pieces.push([text.slice(from), ""]);
  return pieces;
}

/** Whether a string stands alone where a statement could: it says something and does nothing. */
function isDocstring(text, from, whole) {
  if (!/^\w{0,2}("""|''')/.test(whole)) return false;
  const before = text.slice(0, from);
  return /(^|\n)[ \t]*$/.test(before) && !/[([{,=+\\][ \t]*\n\s*$/.test(before);
}

/** Split pieces at line ends: a list of lines, each a list of pieces. */
function lines(pieces) {
  const found = [[]];
  for (const [text, kind] of pieces) {
    text.split("\n").forEach((part, at) => {
      if (at > 0) found.push([]);
      if (part) found[found.length - 1].push([part, kind]);
    });
  }
  return found;
}

/** Show any other text as it stands; of one with many lines the first ones, and all on demand. */
function plainBlock(text, label, most = 60) {
  const block = make("pre", { class: "plain", tabindex: "0", role: "region", "aria-label": label });
  const fill = (shown) => {
    block.replaceChildren();
    if (shown) appendText(block, shown);
    else block.append(make("span", { class: "empty", text: "(empty)" }));
  };
  return withRest(block, text, fill, most);
}

/** Fill a block with the beginning of a text, and with all of it on demand. */
function withRest(block, text, fill, most = Infinity) {
  const all = text.replace(/\n+$/, "").split("\n");
  // a button for a few lines would be no shorter than they are
  const first = all.length > most + 4 ? all.slice(0, most).join("\n") : text;
  const begin = first.slice(0, FIRST_SHOWN);
  fill(begin);
  if (begin.length === text.length) return block;
  const long = first.length > FIRST_SHOWN ? `${text.length.toLocaleString("en")} characters` : count(all.length, "line");
  const more = make("button", {
    type: "button",
    class: "more",
    text: `Show all ${long}`,
    on: {
      click: () => {
        fill(text);
        more.remove();
        block.focus({ preventScroll: true });
      },
    },
  });
  return make("div", {}, block, more);
}

// natural log-probabilities at which a token's colour changes: chances of 90, 50, 20 and 5 percent
const TOKEN_STEPS = [0.105, 0.693, 1.609, 2.996];

/** Show what a model wrote token by token; one at a time can be asked for its number. */
function tokenBlock(answer, [lengths, unlikely]) {
  const told = make("p", { class: "told", "aria-live": "polite", text: "Point at a token, or walk with ← and →." });
  const block = make("div", {
    class: "tokens",
    tabindex: "0",
    role: "group",
    "aria-label": "Tokens with their log-probabilities; walk with the left and right arrow keys",
  });
  const fill = (upTo) => {
    block.replaceChildren();
    let from = 0;
    for (let at = 0; at < upTo; at++) {
      const text = lengths ? answer.slice(from, from + lengths[at]) : `token ${at + 1} `;
      if (lengths) from += lengths[at];
      const step = TOKEN_STEPS.filter((least) => unlikely[at] / 100 > least).length + 1;
      const token = make("span", { class: `token token-${step}`, "data-token": at });
      appendText(token, text || "∅");
      block.append(token);
    }
  };
  const most = 2000;
  fill(Math.min(most, unlikely.length));
  let current = -1;
  const tell = (at) => {
    const all = block.querySelectorAll(".token");
    if (at < 0 || at >= all.length) return;
    if (current >= 0 && all[current]) all[current].classList.remove("current");
    current = at;
    all[at].classList.add("current");
    const logprob = unlikely[at] / 100;
    const number = unlikely[at] >= 9999 ? "at most −99.99" : unlikely[at] ? `−${logprob.toFixed(2)}` : "above −0.005";
    told.replaceChildren(`token ${at + 1} of ${unlikely.length}, `);
    told.append(appendText(make("code", {}), JSON.stringify(all[at].textContent)));
    told.append(`: log-probability ${number}, chance ${unlikely[at] ? percent(Math.exp(-logprob)) : "over 99 %"}`);
  };
  block.addEventListener("pointerover", (event) => {
    const token = event.target.closest(".token");
    if (token) tell(Number(token.dataset.token));
  });
  block.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    tell(Math.max(0, current + step));
  });
  const parts = [tokenLegend(), block, told];
  if (unlikely.length > most) {
    const more = make("button", {
      type: "button",
      class: "more",
      text: `Show all ${unlikely.length.toLocaleString("en")} tokens`,
      on: {
        click: () => {
          fill(unlikely.length);
          more.remove();
        },
      },
    });
    parts.push(more);
  }
  return make("div", {}, ...parts);
}

function tokenLegend() {
  const names = ["over 90 %", "50 to 90 %", "20 to 50 %", "5 to 20 %", "under 5 %"];
  const parts = names.map((name, at) => make("span", { class: `token token-${at + 1}`, text: name }));
  return make("p", { class: "legend" }, "chance of each token: ", ...parts.flatMap((part) => [part, " "]));
}
