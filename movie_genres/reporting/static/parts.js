/* What gallery and review have in common: elements of text, posters, genres, bars, settings in the address. */
"use strict";

/* An element; text becomes text, whatever is in it. Of the attributes, those that are null or false are left out. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function percent(probability) {
  return probability === null ? "–" : `${Math.round(100 * probability)} %`;
}

function count(number) {
  return number.toLocaleString("en");
}

function posterOf(films, number, alt, lazy = true) {
  if (!films.isPictured(number)) return make("span", {class: "poster none"}, "no poster");
  return make("img", {class: "poster", src: films.thumbnail(number), alt, width: 120, height: 180, loading: lazy && "lazy",
    decoding: lazy && "async"});
}

/* A genre in a frame, with what is known of it: right, wrong, missed or plain. */
function chip(films, number, genre, kind) {
  const words = {right: "right", wrong: "wrong", missed: "missed"}[kind];
  return make("li", {class: `chip ${kind}`}, make("bdi", {}, films.genres[genre]),
    words ? make("span", {class: "hidden-text"}, ` (${words})`) : null);
}

/* The genres that a model names, and those that it misses where the truth is known. */
function chips(films, model, number) {
  const list = make("ul", {class: "chips", "aria-label": "Named genres"});
  for (const genre of films.named(model, number)) {
    list.append(chip(films, number, genre, films.truth ? (films.truth.at(number, genre) ? "right" : "wrong") : "plain"));
  }
  for (const genre of films.trueGenres(number).filter((genre) => !model.named.at(number, genre))) {
    list.append(chip(films, number, genre, "missed"));
  }
  if (!list.children.length) list.append(make("li", {class: "muted small"}, "no genre named"));
  return list;
}

function bar(probability, kind = "") {
  const fill = make("span", {class: `fill ${kind}`});
  fill.style.inlineSize = `${100 * (probability ?? 0)}%`;
  return make("span", {class: "bar", "aria-hidden": "true"}, fill);
}

/* Settings in the part of the address after #, so that a link leads to the same view. */
function settingsInAddress() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

const NO_FILM = {film: "", n: ""};

function addressOf(settings, defaults) {
  const shown = Object.entries(settings).filter(([name, value]) => value !== "" && value !== undefined
    && String(value) !== String(defaults[name] ?? ""));
  return `#${new URLSearchParams(shown)}`;
}

/* Whether a key that was pressed is for the element that has the focus, or for the browser. */
function isTyping(event) {
  return event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea") !== null;
}

/* Films' numbers by a measure, the largest first, those without one last. */
function sortedBy(numbers, measure, sign = -1) {
  const value = (number) => (Number.isNaN(measure[number]) ? Infinity : sign * measure[number]);
  return numbers.slice().sort((one, other) => value(one) - value(other) || one - other);
}

function fillSelect(select, options) {
  select.replaceChildren(...options.map(([value, text]) => make("option", {value}, text)));
}
