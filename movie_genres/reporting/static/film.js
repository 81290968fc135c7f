/* One film, in a window over the gallery: all probabilities, the whole overview, and why the models said so. */
"use strict";

class FilmView {
  /* `go`: changes settings in the address. */
  constructor(films, dialog, go) {
    this.films = films;
    this.dialog = dialog;
    this.go = go;
    this.number = null;
    dialog.addEventListener("close", () => {
      if (this.number === null) return;
      this.number = null;
      go(NO_FILM);
    });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("keydown", (event) => {
      const by = {j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1}[event.key];
      if (by === undefined || isTyping(event)) return;
      event.preventDefault();
      this.step(by);
    });
    dialog.querySelector(".close").addEventListener("click", () => dialog.close());
    for (const button of dialog.querySelectorAll("[data-film]")) {
      button.addEventListener("click", () => this.step(Number(button.dataset.film)));
    }
  }

  get isOpen() {
    return this.dialog.open;
  }

  close() {
    this.number = null;
    if (this.isOpen) this.dialog.close();
  }

  /* Goes to a neighbour among the films that are shown. */
  step(by) {
    const next = this.shown[this.shown.indexOf(this.number) + by];
    if (next !== undefined) this.go(this.films.addressed(next));
  }

  async open(number, shown, model) {
    const {films, dialog} = this;
    this.shown = shown;
    if (this.number === number && this.isOpen) return;
    this.number = number;
    const at = shown.indexOf(number);
    dialog.querySelector("[data-film='-1']").disabled = at <= 0;
    dialog.querySelector("[data-film='1']").disabled = at < 0 || at === shown.length - 1;
    dialog.querySelector(".where").textContent = at < 0 ? "not among the films of these filters"
      : `${count(at + 1)} of ${count(shown.length)}`;
    if (!this.isOpen) dialog.showModal();
    const texts = await films.texts(number);
    if (this.number !== number) return;
    dialog.querySelector(".body").replaceChildren(...this.content(number, model ?? films.models[0], texts));
    dialog.scrollTop = 0;
  }

  content(number, model, texts) {
    const {films} = this;
    const picture = make("div", {class: "picture"}, posterOf(films, number, `Poster of ${films.label(number)}`, false));
    const overview = make("p", {class: "overview", dir: "auto"}, texts.overview || "No overview.");
    const side = make("div", {class: "side"}, picture, this.facts(number, model, texts));
    const main = make("div", {},
      make("h2", {id: "film-title", dir: "auto"}, films.label(number),
        films.years[number] ? make("span", {class: "year"}, ` ${films.years[number]}`) : null),
      chips(films, model, number), overview,
      texts.cut ? make("p", {class: "muted small"}, "The overview is cut here, so that the site stays small.") : null,
      texts.explanation ? explanationOf(films, texts.explanation, picture, overview, texts.overview) : null,
      this.table(number));
    return [side, main];
  }

  facts(number, model, texts) {
    const {films} = this;
    const list = make("dl", {class: "facts"});
    const add = (name, value) => value && list.append(make("dt", {}, name), make("dd", {dir: "auto"}, value));
    const measure = (values) => (values && !Number.isNaN(values[number]) ? values[number].toFixed(3) : "");
    add("Id", films.ids[number]);
    add("Split", films.coded("splits", number));
    add("Status", films.coded("statuses", number));
    add("Error", texts.error);
    add("Answered from", films.coded("sources", number));
    add(films.truth ? "True genres" : "", films.trueGenres(number).map((genre) => films.genres[genre]).join(", "));
    add("Doubt", measure(model.doubt));
    add("Loss", measure(model.loss));
    add("Disagreement", measure(films.disagreement));
    list.append(make("dt", {}, "Labels"), make("dd", {}, make("a", {href: `review.html${addressOf(films.addressed(number), {})}`},
      "Review this film")));
    return list;
  }

  table(number) {
    const {films} = this;
    const models = films.models.filter((model) => films.probability(model, number, 0) !== null);
    if (!models.length) return null;
    const head = make("tr", {}, make("th", {scope: "col"}, "Genre"),
      ...models.map((model) => make("th", {scope: "col"}, films.models.length > 1 ? model.name : "Probability")));
    const rows = films.ranked(models[0], number).map((genre) => make("tr", {},
      make("th", {scope: "row"}, make("bdi", {}, films.genres[genre]),
        films.truth && films.truth.at(number, genre) ? make("span", {class: "tick"}, " ✓ true") : null),
      ...models.map((model) => this.cell(model, number, genre))));
    return make("table", {class: "probabilities"}, make("caption", {class: "hidden-text"}, "Probability of each genre"),
      make("thead", {}, head), make("tbody", {}, ...rows));
  }

  cell(model, number, genre) {
    const {films} = this;
    const probability = films.probability(model, number, genre);
    const isNamed = model.named.at(number, genre);
    const kind = !isNamed ? "" : films.truth ? (films.truth.at(number, genre) ? "right" : "wrong") : "plain";
    return make("td", {class: isNamed ? "named" : null}, bar(probability, kind), make("span", {class: "share"},
      percent(probability)), isNamed ? make("span", {class: "hidden-text"}, " named") : null);
  }
}

/* Buttons for the genres that are explained; one of them shades poster and overview. */
function explanationOf(films, explanation, picture, overview, text) {
  const names = Object.keys(explanation.genres);
  const note = make("div", {class: "why-note", "aria-live": "polite"});
  const buttons = names.map((name) => make("button", {type: "button", "aria-pressed": "false"}, make("bdi", {}, name)));

  function show(chosen) {
    buttons.forEach((button, number) => button.setAttribute("aria-pressed", String(names[number] === chosen)));
    picture.querySelector("canvas")?.remove();
    overview.replaceChildren(text ?? "");
    note.replaceChildren();
    const about = explanation.genres[chosen];
    if (!about) return;
    if (about.poster) picture.append(heatOf(about.poster, chosen));
    if (about.words) overview.replaceChildren(...shadedWords(about.words));
    note.append(...noteOf(about));
  }

  buttons.forEach((button, number) => button.addEventListener("click", () =>
    show(button.getAttribute("aria-pressed") === "true" ? null : names[number])));
  const box = make("section", {class: "why"}, make("h3", {}, "Why, by the models’ answer"), make("div", {class: "buttons"}, ...buttons), note);
  if (names.length) show(names[0]);
  return box;
}

function noteOf(about) {
  const strongest = (about.words ?? []).filter(([, weight]) => weight > 0).sort((one, other) => other[1] - one[1]).slice(0, 5);
  const given = Object.entries(about.shares ?? {});
  const largest = Math.max(...given.map(([, share]) => Math.abs(share)));
  const shares = given.map(([kind, share]) => make("li", {}, make("span", {class: "kind"}, kind),
    bar(largest ? Math.abs(share) / largest : 0, share < 0 ? "cold" : "warm"),
    make("span", {class: "share"}, `${share < 0 ? "−" : "+"}${Math.abs(share).toFixed(2)}`)));
  return [make("p", {class: "small muted"}, `Probability ${percent(about.probability)}. What is shaded warm speaks for the genre, `
    + "what is shaded cold against it."),
  strongest.length ? make("p", {class: "small"}, "Words that count most: ", make("bdi", {}, strongest.map(([word]) => word.trim()).join(", ")))
    : null,
  shares.length ? make("div", {}, make("p", {class: "small"}, "What each input adds to the log-odds:"),
    make("ul", {class: "shares"}, ...shares)) : null].filter(Boolean);
}

/* Warm or cold, the stronger the less transparent. */
function shade(weight, largest) {
  const strength = largest ? Math.min(1, Math.abs(weight) / largest) : 0;
  return weight > 0 ? `rgb(226 88 34 / ${0.62 * strength})` : `rgb(32 108 190 / ${0.5 * strength})`;
}

function heatOf(grid, genre) {
  const canvas = make("canvas", {class: "heat", width: 120, height: 180, role: "img", "aria-label": `Where the poster counts for ${genre}`});
  const pen = canvas.getContext("2d");
  const largest = Math.max(...grid.flat().map(Math.abs));
  grid.forEach((row, line) => row.forEach((fall, column) => {
    const left = Math.round(120 * column / row.length), top = Math.round(180 * line / grid.length);
    pen.fillStyle = shade(fall, largest);
    pen.fillRect(left, top, Math.round(120 * (column + 1) / row.length) - left, Math.round(180 * (line + 1) / grid.length) - top);
  }));
  return canvas;
}

/* The overview, cut into words and what stands between them. */
function shadedWords(words) {
  const largest = Math.max(...words.map(([, weight]) => Math.abs(weight)));
  return words.map(([word, weight]) => {
    const mark = make("span", {class: "word", title: weight.toFixed(3)}, word);
    mark.style.backgroundColor = shade(weight, largest);
    return mark;
  });
}
