// The live stream of the wall: goes on where it was after a cut, and rests while the page is hidden.

import { setText } from "./wall_words.js";

const AGAIN_MS = 3000;

// `verdicts(list)`: new verdicts. `begin()`: the stream has begun anew, and what came meanwhile is not known.
export class Live {
  constructor({ url, note, texts, verdicts, begin }) {
    Object.assign(this, { url, note, texts, verdicts, begin });
    this.lastId = "";
  }

  connect() {
    if (this.source || document.hidden) return;
    const url = this.lastId ? `${this.url}${this.url.includes("?") ? "&" : "?"}after=${encodeURIComponent(this.lastId)}` : this.url;
    const source = new EventSource(url);
    this.source = source;
    source.addEventListener("verdicts", (event) => {
      this.show(true);
      this.lastId = event.lastEventId;
      this.verdicts(JSON.parse(event.data));
    });
    source.addEventListener("begin", (event) => {
      this.show(true);
      this.lastId = event.lastEventId;
      this.begin();
    });
    source.addEventListener("lost", () => this.show(false));
    source.addEventListener("signin", () => location.reload());
    source.addEventListener("error", () => {
      this.show(false);
      if (this.source?.readyState === EventSource.CLOSED) {
        this.disconnect(); // a reply that is no stream, such as 503; the browser gives up then
        setTimeout(() => this.connect(), AGAIN_MS);
      }
    });
  }

  disconnect() {
    this.source?.close();
    this.source = undefined;
  }

  show(isLive) {
    setText(this.note, isLive ? `● ${this.texts.live}` : this.texts.lost);
    this.note.classList.toggle("error", !isLive);
  }
}
