"use strict";
// Shows what the server draws, and sends what is pressed. Whatever is in a section was escaped by the server, and no script in
// it would run.
(() => {
  const $ = (id) => document.getElementById(id);
  const buttons = [...document.querySelectorAll("[data-command]")];
  let state = {};
  let ended = false;

  // What a person has opened, moved and focused stays so.
  function swap(id, html) {
    const at = document.querySelector(`[data-section="${id}"]`);
    const focused = at.contains(document.activeElement) ? pathTo(at, document.activeElement) : null;
    const open = new Set([...at.querySelectorAll("details[open]")].map(nameOf));
    const scrubs = [...at.querySelectorAll(".scrub")].map((scrub) => scrub.value);
    const scrolled = [...at.querySelectorAll(".scroll, pre")].map((one) => [one.scrollTop, one.scrollLeft]);
    at.innerHTML = html;
    for (const details of at.querySelectorAll("details")) details.open = open.has(nameOf(details));
    at.querySelectorAll(".scrub").forEach((scrub, index) => (scrub.value = scrubs[index] ?? scrub.value));
    at.querySelectorAll(".scroll, pre").forEach((one, index) => {
      [one.scrollTop, one.scrollLeft] = scrolled[index] ?? [0, 0];
    });
    if (focused) follow(at, focused)?.focus({ preventScroll: true });
  }
  // A count in a summary changes; what it counts does not.
  const nameOf = (details) => details.querySelector("summary").textContent.replace(/\d+/g, "#");
  function pathTo(root, node) {
    const path = [];
    for (let one = node; one !== root; one = one.parentElement) path.unshift([...one.parentElement.children].indexOf(one));
    return path;
  }
  const follow = (root, path) => path.reduce((node, index) => node?.children[index], root);

  // The pointer has not moved, but what is under it has.
  let pointer = null;
  document.addEventListener("pointermove", (event) => {
    if (event.isTrusted) pointer = { clientX: event.clientX, clientY: event.clientY, bubbles: true };
  });
  function readAgain() {
    if (!pointer) return;
    const under = document.elementFromPoint(pointer.clientX, pointer.clientY);
    if (under?.closest(".plot .drawing")) under.dispatchEvent(new PointerEvent("pointermove", pointer));
  }

  function show(message) {
    for (const [id, html] of Object.entries(message.sections)) swap(id, html);
    if ("timeline" in message.sections) readAgain();
    state = message.buttons;
    for (const button of buttons) {
      const command = commandOf(button);
      const refused = state[command];
      button.disabled = ended || refused != null;
      button.title = refused ?? "";
      if (button.dataset.command === "hold") button.textContent = state.held ? "Release" : "Hold";
      if (command === "start") button.textContent = state.next ? `Start ${state.next}` : "Start next step";
    }
    $("hint").textContent = state.start ?? "";
    $("text").disabled = $("note").querySelector("button").disabled = ended || state.over;
    document.body.classList.toggle("ended", ended || state.over);
    document.title = `${document.querySelector(".now strong")?.textContent ?? "live"}: ${document.querySelector("h1")?.textContent ?? "chaosrun"}`;
  }
  const commandOf = (button) => {
    const command = button.dataset.command;
    return command === "hold" && state.held ? "release" : command;
  };

  function answer(text, good) {
    const at = $("answer");
    at.textContent = text;
    at.classList.toggle("no", !good);
  }
  async function send(command) {
    try {
      const response = await fetch("/commands", {
        method: "POST",
        headers: { "content-type": "application/json", "x-chaosrun": "1" },
        body: JSON.stringify(command),
      });
      const { said } = await response.json();
      answer(response.ok ? said : `Not done: ${said}`, response.ok);
      return response.ok;
    } catch {
      answer("Not done: chaosrun did not answer", false);
      return false;
    }
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      const command = commandOf(button);
      if (command === "abort") return $("confirm").showModal();
      send(command === "start" ? { command, step: state.next } : { command });
    });
  }
  $("confirm").addEventListener("close", () => {
    const dialog = $("confirm");
    if (dialog.returnValue === "abort") send({ command: "abort", why: $("why").value });
    dialog.returnValue = "";
  });
  $("stay").addEventListener("click", () => $("confirm").close(""));
  $("note").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await send({ command: "note", text: $("text").value })) $("text").value = "";
  });

  function line(text) {
    $("line").textContent = text;
    $("line").hidden = !text;
  }
  const events = new EventSource("/events");
  events.addEventListener("view", (event) => {
    line("");
    show(JSON.parse(event.data));
  });
  events.addEventListener("end", () => {
    events.close();
    ended = true;
    if (state.start !== undefined) show({ sections: {}, buttons: state });
    line("chaosrun has ended. This is the last that it showed.");
  });
  events.addEventListener("error", () => {
    if (!ended) line("No connection to chaosrun. If it was killed, its reaper reverts every fault; this page shows the last that it heard.");
  });
})();
