// The pictures of the wall: asked for in batches, kept in memory, and asked for again when they may have changed.

const BATCHES = [16, 32, 50]; // the first are small, so that something is there soon
const BATCHES_AT_ONCE = 3; // while two are on their way to the page or are drawn, the third is rendered
const URL_CHARS_MAX = 16_000;
const PICTURES_MAX = 1500; // kept in memory
const AGAIN_MS = 1000;
const FRESH_MS = 10_000; // a picture is asked for again at most so often

// `url`, `side`: of the console's batches. `isShown(id)`: whether a tile shows it, so that it is kept. `changed(id)`: is
// called for each picture that came. `idle()`: is called when a batch has ended. `later(ms)`: asks to be asked again.
export class Pictures {
  constructor({ url, side, isShown, changed, idle, later }) {
    Object.assign(this, { url, side, isShown, changed, idle, later });
    this.kept = new Map(); // by id; the one used last is the last
    this.asking = new Set();
    this.underWay = 0;
    this.asked = 0;
  }

  get(id) {
    return this.kept.get(id);
  }

  // The camera has another picture, or may have.
  outdate(id) {
    const picture = this.kept.get(id);
    if (picture) picture.due = Math.max(Date.now(), (picture.asked ?? 0) + FRESH_MS);
  }

  outdateAll() {
    for (const [, picture] of this.kept) picture.due = Math.min(picture.due ?? Infinity, Math.max(Date.now(), (picture.asked ?? 0) + FRESH_MS));
  }

  // `wanted()`: returns the rows whose pictures are wanted now, the most urgent first.
  ask(wanted) {
    while (this.underWay < BATCHES_AT_ONCE) {
      const batch = this.nextBatch(wanted());
      if (!batch.length) return;
      this.askBatch(batch);
    }
  }

  wants(row) {
    const picture = this.kept.get(row.id);
    return !row.gone && !this.asking.has(row.id) && (!picture || (picture.due !== undefined && picture.due <= Date.now()));
  }

  nextBatch(rows) {
    const ids = [];
    const most = BATCHES[Math.min(this.asked, BATCHES.length - 1)];
    let chars = 0;
    for (const row of rows) {
      if (!row || !this.wants(row)) continue;
      chars += encodeURIComponent(row.id).length + 60;
      if (ids.length >= most || chars > URL_CHARS_MAX) break;
      ids.push(row.id);
    }
    return ids;
  }

  async askBatch(ids) {
    this.underWay += 1;
    this.asked += 1;
    ids.forEach((id) => this.asking.add(id));
    try {
      const query = ids.map((id) => `id=${encodeURIComponent(id)}&etag=${encodeURIComponent(this.kept.get(id)?.etag || "-")}`).join("&");
      const reply = await fetch(`${this.url}?side=${this.side}&${query}`, { cache: "no-store" });
      if (reply.redirected) location.reload();
      if (!reply.ok || reply.redirected) throw new Error(String(reply.status));
      this.take(ids, await reply.json());
    } catch {
      for (const id of ids) this.keep(id, { ...this.kept.get(id), due: Date.now() + 3 * AGAIN_MS });
      this.later(3 * AGAIN_MS);
    } finally {
      this.underWay -= 1;
      ids.forEach((id) => this.asking.delete(id));
    }
    this.idle();
  }

  take(ids, heads) {
    let soonest = Infinity;
    heads.forEach((head, index) => {
      const id = ids[index];
      const known = this.kept.get(id) ?? {};
      const picture = { ...known, asked: Date.now(), due: undefined };
      if (head.o === "found") {
        // A data URL is drawn by the page's process alone; for a blob's URL it asks the browser's process each time.
        Object.assign(picture, { url: `data:image/jpeg;base64,${head.j}`, etag: head.e, time: head.t, settled: true, damaged: false });
      } else if (head.o === "not_modified") Object.assign(picture, { time: head.t, settled: true });
      else if (head.o === "missing" || head.o === "damaged") {
        Object.assign(picture, { url: "", etag: "", time: 0, settled: true, damaged: head.o === "damaged" });
      } else {
        picture.due = Date.now() + (head.o === "left_out" ? 0 : AGAIN_MS);
        soonest = Math.min(soonest, picture.due);
      }
      this.keep(id, picture);
      this.changed(id);
    });
    if (soonest < Infinity) this.later(Math.max(0, soonest - Date.now()));
  }

  keep(id, picture) {
    this.kept.delete(id);
    this.kept.set(id, picture);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= PICTURES_MAX) break;
      if (this.isShown(oldest)) continue;
      this.kept.delete(oldest);
    }
  }
}
