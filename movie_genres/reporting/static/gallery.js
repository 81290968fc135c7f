/* The gallery: filters, sorting and pages of films; settings stand in the address. A film opens in film.js. */
"use strict";

const PAGE = 48; // films

function startGallery(films) {
  const form = document.getElementById("filters");
  const grid = document.getElementById("films");
  const view = new FilmView(films, document.getElementById("film"), (change) => go(change, true));
  const defaults = defaultsOf(films);
  let settings = {...defaults};
  let shown = null;

  fillFilters(films, form, defaults);

  function go(change, keepPlace = false) {
    const next = {...settings, ...change};
    if (!keepPlace) history.replaceState(null, "", addressOf(next, defaults));
    else history.pushState(null, "", addressOf(next, defaults));
    follow();
  }

  /* Shows what the address says. */
  function follow() {
    const before = settings;
    settings = {...defaults, ...settingsInAddress()};
    for (const control of form.elements) if (control.name) control.value = settings[control.name];
    const isSame = filterKey(before) === filterKey(settings) && shown !== null;
    if (!isSame) shown = found(films, settings);
    if (!isSame || before.page !== settings.page) showPage();
    const number = films.numberOf(settings);
    if (number === undefined) view.close();
    else view.open(number, shown, films.models[settings.model]);
    document.getElementById("lost").hidden = settings.film === "" || number !== undefined;
  }

  function showPage() {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    const page = Math.min(Math.max(1, Number(settings.page) || 1), pages);
    settings.page = String(page);
    const numbers = shown.slice((page - 1) * PAGE, page * PAGE);
    const address = (number) => addressOf({...settings, ...films.addressed(number)}, defaults);
    grid.replaceChildren(...numbers.map((number) => cardOf(films, number, settings, address(number))));
    document.getElementById("count").textContent = shown.length === films.count ? `${count(films.count)} films`
      : `${count(shown.length)} of ${count(films.count)} films`;
    document.getElementById("nothing").hidden = shown.length > 0;
    for (const pager of document.querySelectorAll(".pager")) {
      pager.hidden = pages === 1;
      pager.querySelector(".where").textContent = `Page ${count(page)} of ${count(pages)}`;
      pager.querySelector("[data-step='-1']").disabled = page === 1;
      pager.querySelector("[data-step='1']").disabled = page === pages;
    }
  }

  function step(by, focus) {
    const pages = Math.ceil(shown.length / PAGE);
    const page = Number(settings.page) + by;
    if (page < 1 || page > pages) return;
    go({page: String(page)});
    scrollTo(0, 0);
    const links = grid.querySelectorAll(".card-link");
    if (focus) links[by > 0 ? 0 : links.length - 1].focus();
  }

  form.addEventListener("input", () => go({...Object.fromEntries(new FormData(form)), page: "1", ...NO_FILM}));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    go({...defaults});
  });
  for (const button of document.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => step(Number(button.dataset.step), false));
  }
  addEventListener("hashchange", follow);
  document.addEventListener("keydown", (event) => {
    if (view.isOpen || isTyping(event)) return;
    if (event.key === "/") {
      event.preventDefault();
      form.elements.q.focus();
    } else {
      moveBy(grid, event, step);
    }
  });
  follow();
}

/* What decides which films are shown, in which order. */
function filterKey({film, n, page, ...filters}) {
  return JSON.stringify(filters);
}

/* Moves the focus among the cards: j and k, and the arrows where a card has the focus. */
function moveBy(grid, event, step) {
  const links = [...grid.querySelectorAll(".card-link")];
  const at = links.indexOf(document.activeElement);
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const by = {j: 1, k: -1, ...(at >= 0 ? {ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns} : {})}[event.key];
  if (by === undefined || !links.length) return;
  event.preventDefault();
  const next = at < 0 ? 0 : at + by;
  if (next in links) links[next].focus();
  else step(Math.sign(by), true);
}

function defaultsOf(films) {
  const split = films.splits.names.includes("test") ? "test" : "";
  return {q: "", genre: "", by: "either", model: "0", outcome: "", split, from: "", to: "", status: "", source: "",
    sort: "order", page: "1", ...NO_FILM};
}

function fillFilters(films, form, defaults) {
  const {genre, model, split, status, source, sort} = form.elements;
  const all = (text, names) => [["", text], ...names.map((name) => [name, name])];
  fillSelect(genre, [["", "any genre"], ...films.genres.map((name) => [name, name])]);
  fillSelect(model, films.models.map((each, number) => [String(number), each.name]));
  fillSelect(split, [["all", "all"], ...films.splits.names.map((name) => [name, name])]);
  if (!defaults.split) split.options[0].value = "";
  fillSelect(status, all("any", films.statuses.names));
  fillSelect(source, all("any", films.sources.names));
  const first = films.models[0];
  fillSelect(sort, [["order", "as in the table"], ...(first.doubt ? [["doubt", "most doubtful first"], ["sure", "surest first"]]
    : []), ...(first.loss ? [["loss", "largest loss first"]] : []),
  ...(films.disagreement ? [["disagreement", "poster and overview disagree"]] : [])]);
  const useful = {model: films.models.length > 1, split: films.splits.names.length > 1, status: films.statuses.names.length > 1,
    source: films.sources.names.length > 1, outcome: films.truth !== null, by: films.truth !== null, from: films.years.length > 0};
  for (const [name, isUseful] of Object.entries(useful)) form.elements[name].closest(".field").hidden = !isUseful;
}

/* The numbers of the films that the settings ask for, in their order. */
function found(films, settings) {
  const {truth} = films;
  const model = films.models[settings.model] ?? films.models[0];
  const genre = films.genres.indexOf(settings.genre);
  const words = settings.q.toLowerCase().split(/\s+/).filter(Boolean);
  const split = films.splits.names.indexOf(settings.split), status = films.statuses.names.indexOf(settings.status);
  const source = films.sources.names.indexOf(settings.source);
  const from = Number(settings.from) || -Infinity, to = Number(settings.to) || Infinity;
  const hasYears = settings.from !== "" || settings.to !== "";

  function isOfGenre(number) {
    const isNamed = model.named.at(number, genre), isTrue = truth !== null && truth.at(number, genre);
    return settings.by === "named" ? isNamed : settings.by === "true" ? isTrue : isNamed || isTrue;
  }

  function came(number) {
    if (genre >= 0) {
      const isNamed = model.named.at(number, genre), isTrue = truth.at(number, genre);
      return {right: isNamed && isTrue, wrong: isNamed && !isTrue, missed: isTrue && !isNamed}[settings.outcome];
    }
    const wrong = model.named.anyWith(number, truth, false), missed = truth.anyWith(number, model.named, false);
    return {right: !wrong && !missed, wrong, missed}[settings.outcome];
  }

  const numbers = films.numbers.filter((number) =>
    (split < 0 || films.splits.of[number] === split)
    && (status < 0 || films.statuses.of[number] === status)
    && (source < 0 || films.sources.of[number] === source)
    && (!hasYears || (films.years[number] !== "" && films.years[number] >= from && films.years[number] <= to))
    && (genre < 0 || isOfGenre(number))
    && (!settings.outcome || truth === null || came(number))
    && words.every((word) => films.searched[number].includes(word)));
  const measures = {doubt: model.doubt, sure: model.doubt, loss: model.loss, disagreement: films.disagreement};
  const measure = measures[settings.sort];
  return measure ? sortedBy(numbers, measure, settings.sort === "sure" ? 1 : -1) : numbers;
}

function cardOf(films, number, settings, address) {
  const chosen = films.models[settings.model] ?? films.models[0];
  const status = films.coded("statuses", number);
  const overview = make("p", {class: "overview", dir: "auto"});
  films.texts(number).then((texts) => overview.append(texts.overview ?? texts.error ?? ""));
  return make("li", {class: "card"},
    posterOf(films, number, ""),
    make("div", {class: "about"},
      make("h3", {}, make("a", {class: "card-link", href: address, dir: "auto"}, films.label(number)),
        films.years[number] ? make("span", {class: "year"}, ` ${films.years[number]}`) : null),
      status && status !== "ok" ? make("p", {class: "badge"}, status) : null,
      chips(films, chosen, number),
      overview),
    make("ul", {class: "tops", "aria-label": "Most probable genres"}, ...films.models
      .filter((model) => films.probability(model, number, 0) !== null).map((model) => topOf(films, model, number))));
}

/* A model's three most probable genres, in a line. */
function topOf(films, model, number) {
  const line = make("li", {}, films.models.length > 1 ? make("span", {class: "model"}, model.name) : null);
  for (const genre of films.ranked(model, number).slice(0, 3)) {
    const right = films.truth !== null && films.truth.at(number, genre);
    line.append(make("span", {class: right ? "guess right" : "guess"}, make("bdi", {}, films.genres[genre]),
      make("span", {class: "share"}, ` ${Math.round(100 * films.probability(model, number, genre))}%`)));
  }
  return line;
}

Films.load().then(startGallery);
