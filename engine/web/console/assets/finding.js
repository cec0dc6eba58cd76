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
