// One tile of the wall: its elements, and what they show of a camera and its picture.

import { ago, setText, timesOf, words } from "./wall_words.js";

export function makeTile() {
  const tile = document.createElement("li");
  const make = (name, className, parent) => {
    const element = document.createElement(name);
    element.className = className;
    parent.append(element);
    return element;
  };
  const link = make("a", "", tile);
  const picture = make("span", "picture", link);
  const img = make("img", "", picture);
  img.alt = "";
  img.decoding = "async";
  const none = make("span", "none", picture);
  const age = make("time", "age", picture);
  const line = make("span", "line", link);
  const state = make("span", "state", line);
  const what = make("span", "what", line);
  line.insertBefore(document.createTextNode(" "), what);
  const site = make("b", "site", link);
  const name = make("span", "name", link);
  const since = make("span", "since", link);
  tile.parts = { link, img, none, age, state, what, site, name, since };
  return tile;
}

// `begun`: what the page began with. `now`: the console's clock.
export class TilePainter {
  constructor(begun, now) {
    this.begun = begun;
    this.now = now;
    this.times = timesOf(begun.zone);
  }

  // `place`: of the tile among `total`. `isFocused`: the Tab key stops there.
  fill(tile, row, picture, { place, total, isFocused }) {
    const { texts } = this.begun;
    const { parts } = tile;
    tile.className = `tile ${row.state}${row.gone ? " gone" : ""}`;
    tile.dataset.id = row.id;
    tile.setAttribute("aria-posinset", place + 1);
    tile.setAttribute("aria-setsize", total || -1);
    parts.link.href = this.begun.camera + encodeURIComponent(row.id);
    parts.link.tabIndex = isFocused ? 0 : -1;
    parts.state.className = `state ${row.state}`;
    setText(parts.state, `${row.symbol} ${row.word}`);
    setText(parts.what, row.what);
    setText(parts.site, row.site);
    setText(parts.name, [row.name, row.point, row.disabled && texts.disabled, row.gone && texts.gone].filter(Boolean).join(" · "));
    setText(parts.since, row.since ? words(texts.since, { time: this.times.minutes.format(row.since) }) : "");
    this.fillPicture(tile, row, picture);
  }

  fillPicture(tile, row, picture) {
    const { texts } = this.begun;
    const { img, none, age, link } = tile.parts;
    const time = picture?.time || row.picture || 0;
    if (picture?.url) {
      if (img.getAttribute("src") !== picture.url) img.src = picture.url;
    } else img.removeAttribute("src");
    img.hidden = !picture?.url;
    const isWaiting = !picture?.settled;
    none.classList.toggle("waiting", isWaiting);
    setText(none, picture?.url ? "" : isWaiting ? texts.waiting : picture.damaged ? texts.damaged : row.state === "unseen" ? texts.unseen : texts.none);
    const told = picture?.url && time ? ago(time, this.now()) : "";
    setText(age, told);
    if (told) {
      age.dateTime = new Date(time).toISOString();
      age.title = this.times.clock.format(time);
    }
    const pictureWords = told ? words(texts.picture, { time: told }) : none.textContent;
    const label = [row.site, row.name, row.word, row.what, pictureWords, row.state === "offline" ? tile.parts.since.textContent : ""];
    link.setAttribute("aria-label", label.filter(Boolean).join(", "));
  }
}
