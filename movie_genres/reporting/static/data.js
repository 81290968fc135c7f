/* What the pages know of the films: unpacks the scripts in data/, which call siteData(name, deflated bytes in base64). */
"use strict";

const packed = new Map();

function siteData(name, text) {
  packed.set(name, text);
}

/* The bytes of a text in base64; by hand where the browser cannot yet. */
function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = characters.charCodeAt(at);
  return bytes;
}

async function unpacked(name) {
  const text = packed.get(name);
  packed.delete(name);
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function unpackedJson(name) {
  return JSON.parse(new TextDecoder().decode(await unpacked(name)));
}

/* Flags as NumPy packs them: a row of whole bytes for each film. */
class Bits {
  constructor(bytes, columns) {
    this.bytes = bytes;
    this.width = Math.ceil(columns / 8);
  }

  at(row, column) {
    return (this.bytes[row * this.width + (column >> 3)] & (128 >> (column & 7))) !== 0;
  }

  /* Whether any column is set in one and, by `wanted`, set or not set in the other. */
  anyWith(row, other, wanted) {
    for (let at = row * this.width; at < (row + 1) * this.width; at++) {
      if (this.bytes[at] & (wanted ? other.bytes[at] : ~other.bytes[at])) return true;
    }
    return false;
  }
}

class Films {
  static async load() {
    const {index, ...parts} = Object.fromEntries(await Promise.all([...packed.keys()].map(async (name) =>
      [name, await (name === "index" ? unpackedJson(name) : unpacked(name))])));
    return Object.assign(new Films(), index).complete(parts);
  }

  complete(parts) {
    const {count, genres} = this;
    const bits = (name, columns) => (parts[name] ? new Bits(parts[name], columns) : null);
    this.numbers = Array.from({length: count}, (_, number) => number);
    this.pictured = bits("pictured", count);
    this.truth = bits("truth", genres.length);
    this.disagreement = this.measure(parts, "disagreement");
    for (const [number, model] of this.models.entries()) {
      Object.assign(model, {probabilities: parts[`probabilities-${number}`], named: bits(`named-${number}`, genres.length),
        doubt: this.measure(parts, `doubt-${number}`), loss: this.measure(parts, `loss-${number}`)});
    }
    this.byId = new Map();  // the numbers of the films of an id: it may repeat
    for (const number of this.numbers) {
      const same = this.byId.get(this.ids[number]);
      if (same) same.push(number);
      else this.byId.set(this.ids[number], [number]);
    }
    this.shards = new Map();
    return this;
  }

  get count() {
    return this.ids.length;
  }

  /* Ids and titles in small letters, made when they are first searched. */
  get searched() {
    this.small ??= this.numbers.map((number) => `${this.ids[number]}\n${this.titles[number] ?? ""}`.toLowerCase());
    return this.small;
  }

  /* A measure of each film, NaN where it is not known; null where it is known of none. */
  measure(parts, name) {
    if (!parts[name]) return null;
    const levels = new Uint16Array(parts[name].buffer);
    const values = new Float32Array(levels.length);
    for (let at = 0; at < values.length; at++) values[at] = levels[at] === 65535 ? NaN : levels[at] / 65534 * this.largest[name];
    return values;
  }

  /* What an address says of a film: its id, and of those with that id which one, if not the first. */
  addressed(number) {
    const id = this.ids[number];
    const n = this.byId.get(id).indexOf(number) + 1;
    return {film: id, n: n > 1 ? String(n) : ""};
  }

  /* The number of the film that an address says; undefined where there is none. */
  numberOf({film, n}) {
    return film === "" ? undefined : this.byId.get(film)?.[(n || 1) - 1];
  }

  coded(column, number) {
    const {names, of} = this[column];
    return of.length ? names[of[number]] : "";
  }

  label(number) {
    return this.titles[number] || this.ids[number];
  }

  isPictured(number) {
    return this.pictured.at(0, number);
  }

  thumbnail(number) {
    return `thumbs/${String(Math.floor(number / 1000)).padStart(3, "0")}/${number}.jpg`;
  }

  /* 0 to 1, or null where it is not known, or there is no such genre: the middle of the step that it is in. */
  probability(model, number, genre) {
    const level = model.probabilities[number * this.genres.length + genre];
    return level === 255 || level === undefined ? null : Math.min(1, (level - 0.5) / this.steps);
  }

  /* Numbers of the genres, the most probable first. */
  ranked(model, number) {
    const start = number * this.genres.length;
    const level = (genre) => (model.probabilities[start + genre] + 1) % 256;
    return this.genres.map((_, genre) => genre).sort((one, other) => level(other) - level(one) || one - other);
  }

  named(model, number) {
    return this.ranked(model, number).filter((genre) => model.named.at(number, genre));
  }

  trueGenres(number) {
    return this.truth ? this.genres.map((_, genre) => genre).filter((genre) => this.truth.at(number, genre)) : [];
  }

  /* Overview, error and explanation of a film; reads the file in which they stand. */
  async texts(number) {
    const shard = Math.floor(number / this.shard);
    if (!this.shards.has(shard)) {
      const name = `films-${String(shard).padStart(3, "0")}`;
      this.shards.set(shard, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onload = () => resolve(unpackedJson(name));
        script.onerror = () => reject(new Error(`${script.src} cannot be read`));
        document.head.append(script);
      }));
    }
    return (await this.shards.get(shard))[number % this.shard];
  }
}
