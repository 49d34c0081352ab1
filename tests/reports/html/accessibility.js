// What is wrong with a page for those who cannot see it or point at it: a list of complaints.
() => {
  const said = [];
  const shown = (element) => element.checkVisibility({ checkVisibilityCSS: true });
  const name = (element) =>
    element.getAttribute("aria-label") ||
    (element.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent || "").join("").trim() ||
    (element.labels && [...element.labels].map((label) => label.textContent).join("").trim()) ||
    element.textContent.trim() ||
    element.title;
  const told = (element) => element.outerHTML.slice(0, 120);

  for (const element of document.querySelectorAll("a, button, input, select, textarea, summary, canvas, dialog, nav, [role]"))
    if (shown(element) && !["presentation", "group", "status"].includes(element.getAttribute("role")) && !element.closest("svg") && !name(element))
      said.push(`no name: ${told(element)}`);
  for (const select of document.querySelectorAll("select, input"))
    if (shown(select) && !select.labels?.length && !select.getAttribute("aria-label")) said.push(`no label: ${told(select)}`);

  let level = 0;
  const heads = [...document.querySelectorAll("h1, h2, h3, h4, h5")].filter(shown);
  for (const head of heads) {
    const own = Number(head.tagName[1]);
    if (own > level + 1) said.push(`heading skips from ${level} to ${own}: ${told(head)}`);
    level = own;
  }
  if (heads.filter((head) => head.tagName === "H1").length !== 1) said.push("not exactly one heading of level 1");
  if ([...document.querySelectorAll("main")].filter(shown).length !== 1) said.push("not exactly one main part");
  if (!document.documentElement.lang) said.push("no language");
  if (document.querySelector("meta[name=viewport]").content.includes("maximum-scale")) said.push("cannot be enlarged");

  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => said.push(`two elements are called ${id}`));
  for (const element of document.querySelectorAll("[aria-labelledby], [aria-describedby], label[for]"))
    for (const attribute of ["aria-labelledby", "aria-describedby", "for"])
      for (const id of (element.getAttribute(attribute) || "").split(" ").filter(Boolean))
        if (shown(element) && !document.getElementById(id)) said.push(`${attribute} of nothing: ${told(element)}`);

  for (const table of document.querySelectorAll("table"))
    if (shown(table)) {
      if (!table.querySelector("thead th[scope=col]")) said.push(`no heads of columns: ${told(table)}`);
      for (const row of table.querySelectorAll("tbody tr"))
        if (!row.querySelector("th[scope=row]")) said.push(`no head of row: ${told(row)}`);
    }
  for (const element of document.querySelectorAll("*")) {
    if (!shown(element) || element.closest("svg")) continue;
    const style = getComputedStyle(element);
    const scrolls = /auto|scroll/.test(style.overflowX + style.overflowY) && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1);
    const reached = element.tabIndex >= 0 || element.querySelector("a, button, select, input, [tabindex='0']");
    if (scrolls && !reached && element !== document.documentElement) said.push(`scrolls, but not by keys: ${told(element)}`);
  }
  for (const target of document.querySelectorAll("button, select, input[type=search]"))
    if (shown(target) && target.getBoundingClientRect().height < 24) said.push(`too small to hit: ${told(target)}`);
  return said;
};
