// What makes the pages pleasanter. Without it they do the same.
"use strict";

// Times in the reader's own zone and manner.
const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = time.textContent;
  time.textContent = format.format(new Date(time.dateTime));
}

// A password may be looked at before it is sent.
const { show, hide } = document.body.dataset;
for (const input of document.querySelectorAll('input[type="password"]')) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = show;
  button.setAttribute("aria-controls", input.id);
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    button.textContent = shown ? hide : show;
    button.setAttribute("aria-pressed", String(shown));
  });
  const around = document.createElement("div");
  around.className = "secret";
  input.replaceWith(around);
  around.append(input, button);
  input.form.addEventListener("submit", () => { input.type = "password"; });
}

// What is wrong comes first, to be typed on.
const wrong = document.querySelector('[aria-invalid="true"]');
if (wrong) {
  wrong.focus();
  wrong.setSelectionRange(wrong.value.length, wrong.value.length);
}

// The access cookie may have ended while a form was being filled in: what was typed is not to be lost over it.
const opened = performance.now();
const STALE_AFTER_MS = 5 * 60 * 1000;
if (document.querySelector(".viewer")) {
  document.addEventListener("submit", async (event) => {
    const { target: form, submitter } = event;
    if (form.method !== "post" || performance.now() - opened < STALE_AFTER_MS) return;
    event.preventDefault();
    await fetch("/api/v1/token/refresh", { method: "POST" }).catch(() => {});
    if (submitter?.name) {
      const pressed = document.createElement("input");
      pressed.type = "hidden";
      pressed.name = submitter.name;
      pressed.value = submitter.value;
      form.append(pressed);
    }
    form.submit();
  });
}

// What changes by itself is shown anew, until somebody has it stop.
const live = document.getElementById("live");
if (live) {
  const EVERY_MS = 3000;
  let paused = false;
  const button = document.createElement("button");
  button.className = "plain";
  button.textContent = live.dataset.pause;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? live.dataset.resume : live.dataset.pause;
  });
  live.after(button);
  const renew = async () => {
    if (!paused && !document.hidden) {
      const answer = await fetch(location.href).catch(() => null);
      const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page && page.getElementById("live");
      if (fresh) live.replaceChildren(...fresh.childNodes);
    }
    setTimeout(renew, EVERY_MS);
  };
  setTimeout(renew, EVERY_MS);
}
