/* The review: genres of a film are marked right or wrong, or added; kept in this browser, exported as a table. */
"use strict";

/* What a reviewer left of each film, by id: the genres that the review started from, those that are right, those that are
   wrong. The start is kept too, so that labels stay what they were when other models name other genres. Each film is kept for
   itself, so that two windows do not undo each other's marks. */
class Reviews {
  constructor(site, onLoss, onChange) {
    this.key = `movie-genres-review-${site}-`;
    this.onLoss = onLoss;
    this.films = new Map();
    try {
      for (const key of Object.keys(localStorage)) this.take(key, localStorage.getItem(key));
    } catch {
      onLoss();
    }
    addEventListener("storage", ({key, newValue}) => {  // another window has kept something
      if (key === null) this.films.clear();
      else this.take(key, newValue);
      onChange();
    });
  }

  take(key, text) {
    if (!key.startsWith(this.key)) return;
    const id = key.slice(this.key.length);
    if (text === null) this.films.delete(id);
    else this.films.set(id, JSON.parse(text));
  }

  set(id, review) {
    if (review) this.films.set(id, review);
    else this.films.delete(id);
    try {
      if (review) localStorage.setItem(this.key + id, JSON.stringify(review));
      else localStorage.removeItem(this.key + id);
    } catch {
      this.onLoss();
    }
  }
}

/* The genres a review starts from: the film's own where they are known, else those that are named. */
function startOf(films, number) {
  const genres = films.truth ? films.trueGenres(number) : films.named(films.models[0], number);
  return genres.map((genre) => films.genres[genre]);
}

function labelsOf(review) {
  return [...new Set([...review.start, ...review.right])].filter((name) => !review.wrong.includes(name));
}

function startReview(films) {
  const reviews = new Reviews(films.site, () => { document.getElementById("unkept").hidden = false; },
    () => { tell(); if (number !== null) showGenres(); });
  const form = document.getElementById("filters");
  const defaults = {sort: films.models[0].doubt ? "doubt" : "order", which: "all", q: "", ...NO_FILM};
  let settings = {...defaults};
  let shown = [];
  let number = null;

  fillSelect(form.elements.sort, [...(films.models[0].doubt ? [["doubt", "most doubtful first"]] : []),
    ...(films.models[0].loss ? [["loss", "largest loss first"]] : []),
    ...(films.disagreement ? [["disagreement", "poster and overview disagree"]] : []), ["order", "as in the table"]]);
  document.getElementById("genres").replaceChildren(...films.genres.map((name) => make("option", {value: name})));

  function go(change) {
    history.replaceState(null, "", addressOf({...settings, ...change}, defaults));
    follow();
  }

  function follow() {
    settings = {...defaults, ...settingsInAddress()};
    for (const control of form.elements) if (control.name) control.value = settings[control.name];
    const words = settings.q.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = films.numbers.filter((each) => words.every((word) => films.searched[each].includes(word))
      && (settings.which === "all" || reviews.films.has(films.ids[each]) === (settings.which === "reviewed")));
    const measure = {doubt: films.models[0].doubt, loss: films.models[0].loss, disagreement: films.disagreement}[settings.sort];
    shown = measure ? sortedBy(wanted, measure) : wanted;
    number = films.numberOf(settings) ?? shown.find((each) => !reviews.films.has(films.ids[each])) ?? shown[0] ?? null;
    show();
  }

  async function show() {
    const mine = number;
    const box = document.getElementById("reviewed-film");
    document.getElementById("nothing").hidden = number !== null;
    document.getElementById("work").hidden = number === null;
    tell();
    if (number === null) return;
    box.querySelector(".picture").replaceChildren(posterOf(films, number, `Poster of ${films.label(number)}`, false));
    box.querySelector("h2").replaceChildren(films.label(number), films.years[number] ? make("span", {class: "year"}, ` ${films.years[number]}`) : "");
    box.querySelector(".id").textContent = films.titles[number] ? films.ids[number] : "";
    showGenres();
    const texts = await films.texts(number);
    if (number !== mine) return;
    box.querySelector(".overview").textContent = texts.overview || texts.error || "No overview.";
    box.querySelector(".cut").hidden = !texts.cut;
  }

  function tell() {
    const done = reviews.films.size;
    document.getElementById("progress").max = films.byId.size;
    document.getElementById("progress").value = done;
    document.getElementById("count").textContent = `${count(done)} of ${count(films.byId.size)} films reviewed`;
    document.getElementById("export").disabled = done === 0;
    const at = shown.indexOf(number);
    document.getElementById("where").textContent = at < 0 ? "" : `${count(at + 1)} of ${count(shown.length)}`;
    document.getElementById("forget").disabled = number === null || !reviews.films.has(films.ids[number]);
    document.getElementById("state").textContent = number !== null && reviews.films.has(films.ids[number]) ? "reviewed" : "not reviewed yet";
  }

  function reviewed() {
    return reviews.films.get(films.ids[number]) ?? {start: startOf(films, number), right: [], wrong: []};
  }

  function candidates() {
    const review = reviewed();
    const named = films.named(films.models[0], number).map((genre) => films.genres[genre]);
    return [...new Set([...review.start, ...named, ...review.right, ...review.wrong])];
  }

  function showGenres() {
    const review = reviewed();
    const list = document.getElementById("marks");
    const focused = document.activeElement?.dataset?.mark;
    list.replaceChildren(...candidates().map((name, place) => markOf(name, place, review)));
    if (focused) [...list.querySelectorAll("button")].find((button) => button.dataset.mark === focused)?.focus();
    if (!list.children.length) list.append(make("li", {class: "muted"}, "No genre is named. Add those that are right."));
    document.getElementById("labels").textContent = labelsOf(review).join(", ") || "none";
  }

  function markOf(name, place, review) {
    const genre = films.genres.indexOf(name);
    const probability = genre < 0 ? null : films.probability(films.models[0], number, genre);
    const button = (mark, text) => {
      const isSet = review[mark].includes(name);
      const element = make("button", {type: "button", class: mark, "aria-pressed": String(isSet), "data-mark": `${mark} ${name}`,
        "aria-label": `${name} is ${mark}`}, text);
      element.addEventListener("click", () => setMark(name, isSet ? null : mark));
      return element;
    };
    return make("li", {}, make("kbd", {"aria-hidden": "true"}, place < 9 ? String(place + 1) : ""), make("bdi", {class: "genre"}, name),
      bar(probability, "plain"), make("span", {class: "share"}, probability === null ? "" : percent(probability)),
      button("right", "✓ right"), button("wrong", "✗ wrong"));
  }

  function setMark(name, mark) {
    const old = reviewed();
    const without = (names) => names.filter((each) => each !== name);
    const review = {start: old.start, right: without(old.right), wrong: without(old.wrong)};
    if (mark) review[mark].push(name);
    reviews.set(films.ids[number], review);
    showGenres();
    tell();
  }

  function finish() {
    if (number === null) return;
    reviews.set(films.ids[number], reviewed());
    step(1);
  }

  function step(by) {
    const at = shown.indexOf(number);
    const next = shown[Math.min(Math.max(at + by, 0), shown.length - 1)];
    if (next !== undefined) go(films.addressed(next));
  }

  function add() {
    const input = document.getElementById("added");
    const given = input.value.trim();
    const known = films.genres.find((name) => name.toLowerCase() === given.toLowerCase());
    const problem = given.includes("|") ? "A genre cannot have a bar in its name." : "";
    document.getElementById("add-note").textContent = problem || (given && !known ? "The models do not know this genre." : "");
    if (!given || problem || number === null) return;
    input.value = "";
    setMark(known ?? given, "right");
  }

  const on = (id, event, act) => document.getElementById(id).addEventListener(event, act);
  form.addEventListener("input", () => go({...Object.fromEntries(new FormData(form)), ...NO_FILM}));
  form.addEventListener("submit", (event) => event.preventDefault());
  on("done", "click", finish);
  on("next", "click", () => step(1));
  on("previous", "click", () => step(-1));
  on("forget", "click", () => { reviews.set(films.ids[number], null); showGenres(); tell(); });
  on("adding", "submit", (event) => { event.preventDefault(); add(); });
  on("export", "click", () => download("corrections.csv", tableOf(films, reviews)));
  on("import", "change", async (event) => {
    const [file] = event.target.files;
    if (file) document.getElementById("import-note").textContent = takeIn(films, reviews, await file.text());
    event.target.value = "";
    follow();
  });
  addEventListener("hashchange", follow);
  document.addEventListener("keydown", (event) => {
    if (isTyping(event) || number === null) return;
    const isFree = event.target.closest("button, a") === null;
    if (event.key === "Enter" && isFree) finish();
    else if (event.key === "j" || (event.key === "ArrowRight" && isFree)) step(1);
    else if (event.key === "k" || (event.key === "ArrowLeft" && isFree)) step(-1);
    else if (/^[1-9]$/.test(event.key)) turn(candidates()[Number(event.key) - 1]);
    else if (event.key === "a") document.getElementById("added").focus();
    else return;
    event.preventDefault();
  });

  /* Right, wrong, undecided, and round again. */
  function turn(name) {
    if (name === undefined) return;
    const review = reviewed();
    setMark(name, review.right.includes(name) ? "wrong" : review.wrong.includes(name) ? null : "right");
  }

  follow();
}

function quoted(cell) {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/* The films that were reviewed, with the labels that they were left with: columns id and genres. */
function tableOf(films, reviews) {
  const rows = [...films.byId.keys()].filter((id) => reviews.films.has(id))
    .map((id) => [id, labelsOf(reviews.films.get(id)).join("|")]);
  return [["id", "genres"], ...rows].map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
}

function download(name, text) {
  const link = make("a", {href: URL.createObjectURL(new Blob([text], {type: "text/csv;charset=utf-8"})), download: name});
  link.click();
  URL.revokeObjectURL(link.href);
}

/* The cells of a table of comma-separated values. */
function cellsOf(text) {
  const rows = [[]];
  for (const [, between, inQuotes, plain] of text.matchAll(/(^|,|\r?\n)(?:"((?:[^"]|"")*)"|([^",\r\n]*))/g)) {
    if (between.endsWith("\n")) rows.push([]);
    rows.at(-1).push(inQuotes === undefined ? plain : inQuotes.replaceAll('""', '"'));
  }
  return rows;
}

/* Takes an earlier export in; says what came of it. */
function takeIn(films, reviews, text) {
  const [header, ...rows] = cellsOf(text.replace(/^\uFEFF/, ""));
  if (header.join() !== "id,genres") return "This is no table of corrections: its columns should be id and genres.";
  let taken = 0;
  for (const [id, genres] of rows) {
    const [number] = films.byId.get(id) ?? [];
    if (number === undefined || genres === undefined) continue;
    const labels = genres.split("|").filter(Boolean);
    const start = startOf(films, number);
    reviews.set(id, {start, right: labels, wrong: start.filter((name) => !labels.includes(name))});
    taken += 1;
  }
  return `${count(taken)} films taken in.`;
}

Films.load().then(startReview);
