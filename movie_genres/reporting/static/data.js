/* What the pages know of the films: unpacks the scripts in data/, which call siteData(name, deflated bytes in base64). */
"use strict";

const packed = new Map();

function siteData(name, text) {
  packed.set(name, text);
}

async function unpacked(name) {
  const text = packed.get(name);
  packed.delete(name);
  if (text === undefined) return null;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
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
    const films = Object.assign(new Films(), await unpackedJson("index"));
    const count = films.ids.length;
    films.count = count;
    films.numbers = Array.from({length: count}, (_, number) => number);
    films.pictured = new Bits(await unpacked("pictured"), count);
    const truth = await unpacked("truth");
    films.truth = truth && new Bits(truth, films.genres.length);
    for (const [number, model] of films.models.entries()) {
      model.probabilities = await unpacked(`probabilities-${number}`);
      model.named = new Bits(await unpacked(`named-${number}`), films.genres.length);
      model.doubt = await films.measure(`doubt-${number}`);
      model.loss = await films.measure(`loss-${number}`);
    }
    films.disagreement = await films.measure("disagreement");
    films.shards = new Map();
    films.byId = new Map();
    for (let number = count - 1; number >= 0; number--) films.byId.set(films.ids[number], number);
    films.searched = films.ids.map((id, number) => `${id}\n${films.titles[number] ?? ""}`.toLowerCase());
    return films;
  }

  /* A measure of each film, NaN where it is not known; null where it is known of none. */
  async measure(name) {
    const bytes = await unpacked(name);
    if (!bytes) return null;
    const levels = new Uint16Array(bytes.buffer);
    return Float32Array.from(levels, (level) => (level === 65535 ? NaN : level / 65534 * this.largest[name]));
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

  /* 0 to 1, or null where it is not known. */
  probability(model, number, genre) {
    const level = model.probabilities[number * this.genres.length + genre];
    return level === 255 ? null : level / this.steps;
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
