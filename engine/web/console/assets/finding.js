// The page of a finding: when something happened to it, what one may do is loaded again, unless something was typed.

document.addEventListener("htmx:afterSwap", () => {
  const facts = document.getElementById("facts");
  const actions = document.getElementById("actions");
  if (!facts || !actions || facts.dataset.number === actions.dataset.number) return;
  document.getElementById("done")?.remove(); // what came after it counts now
  const fields = [...actions.querySelectorAll("textarea, input[type=file]")];
  if (fields.some((field) => field.value) || actions.contains(document.activeElement)) {
    actions.querySelector(".changed").hidden = false;
    return;
  }
  actions.dataset.number = facts.dataset.number;
  window.htmx.ajax("GET", actions.dataset.actions, { target: "#actions", swap: "outerHTML" });
});

// Photographs that are too large for the ledger are made smaller before they are sent.
const FILES_MAX = 3;
const BYTES_MAX = 5_000_000;
const SIDE_PX_MAX = 2400;
const QUALITY = 0.88;

async function smaller(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, SIDE_PX_MAX / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
  return new File([blob], file.name.replace(/\.[^.]*$/, "") + ".jpg", { type: "image/jpeg" });
}

document.addEventListener("change", async (event) => {
  const input = event.target;
  if (input.id !== "photographs") return;
  const wrong = document.getElementById("photographs-wrong");
  const refuse = (text) => {
    wrong.textContent = text;
    wrong.hidden = false;
    input.value = "";
  };
  wrong.hidden = true;
  const files = [...input.files];
  if (files.length > FILES_MAX) return refuse(wrong.dataset.many);
  if (!files.some((file) => file.size > BYTES_MAX)) return;
  const button = input.form.querySelector("button");
  const kept = new DataTransfer();
  button.disabled = true;
  try {
    for (const file of files) {
      try {
        kept.items.add(file.size > BYTES_MAX ? await smaller(file) : file);
      } catch {
        return refuse(`${wrong.dataset.broken} ${file.name}`);
      }
    }
    input.files = kept.files;
  } finally {
    button.disabled = false;
  }
});
