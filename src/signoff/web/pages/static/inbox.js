// Comfort only: local times, keys, and pages that stay current. Everything works without this file. htmx with server-sent
// events and morphing is 66 kB and would replace some 2 kB here; what keeps typed words and background tabs would stay.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // In the browser's zone if the reader has set none, like the server (Sep, not Sept): 9 Sep 2026, 17:37 CET.
  const local = (root) => {
    const form = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
    for (const time of all("time[datetime]", root)) {
      const at = new Date(time.dateTime);
      if (isNaN(at)) continue;
      time.title = time.dateTime;
      const more = "seconds" in time.dataset ? { second: "2-digit" } : {};
      if ("local" in time.dataset) time.textContent = at.toLocaleString("en-GB", { ...form, ...more }).replace("Sept ", "Sep ");
    }
  };
  local(document);

  // Keys can be switched off: for who dictates, or types by accident.
  const off = () => localStorage.getItem("keys") === "off";
  for (const line of all(".keys")) {
    const button = document.createElement("button");
    button.className = "small quiet";
    const say = () => { button.textContent = off() ? "Turn keys on" : "Turn keys off"; };
    button.onclick = () => { localStorage.setItem("keys", off() ? "on" : "off"); say(); };
    say();
    line.append(" ", button);
  }

  // j, k: next, previous row; x: select it; a, r: to the button that approves or rejects, or on with what is selected;
  // /: search. Not while typing, not with a modifier. No key decides anything: Enter on the button does.
  document.addEventListener("keydown", (event) => {
    if (off() || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox]), textarea, select")) return;
    const row = event.target.closest(".tickable");
    if (event.key === "x" && row) { row.querySelector("input[type=checkbox]")?.click(); event.preventDefault(); return; }
    if (event.key === "a" || event.key === "r") {
      const button = document.querySelector(`[data-key=${event.key}]`), pick = document.getElementById("pick");
      if (button) { button.focus(); button.scrollIntoView({ block: "nearest" }); event.preventDefault(); }
      else if (pick?.querySelector(":checked")) { pick.requestSubmit(); event.preventDefault(); }
      return;
    }
    const search = document.querySelector("input[type=search]");
    if (event.key === "/" && search) { search.focus(); event.preventDefault(); return; }
    const step = { j: 1, k: -1 }[event.key];
    const rows = all("[data-row]");
    if (!step || !rows.length) return;
    const here = rows.indexOf(document.activeElement?.closest(".tickable")?.querySelector("[data-row]") ?? document.activeElement);
    rows[here < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, here + step))].focus();
    event.preventDefault();
  });

  // A second press of a button is not a second answer.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
    setTimeout(() => delete event.target.dataset.sent, 5000);
  });

  (document.getElementById("problem") || document.getElementById("done"))?.focus();

  // Staying current: something changed, so read this page again and replace the parts that differ.
  const live = document.body.dataset.live;
  if (!live) return;
  const watched = document.body.dataset.watch;

  const stale = (now) => {
    if (document.getElementById("stale")) return;
    const note = document.createElement("div");
    note.id = "stale";
    note.className = "note";
    note.setAttribute("role", "status");
    const link = document.createElement("a");
    link.href = location.pathname + location.search;
    link.textContent = "Show the current state";
    note.append(now.startsWith("open") ? "Something has changed since this page was loaded. " : "This has been decided since this page was loaded. ", link);
    document.querySelector(".decide, main").prepend(note);
  };

  const refresh = async () => {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (watched) {
      const [was, now] = [document, fresh].map((page) => page.getElementById(watched)?.dataset.state ?? "");
      if (was !== now) stale(now);
      return;
    }
    const focus = document.activeElement?.id;
    for (const part of all("[data-part]")) {
      if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) continue;
      const next = fresh.getElementById(part.id);
      if (!next) { part.remove(); continue; }
      if (part.dataset.part === "kept") continue; // it only goes away
      local(next);
      if (next.innerHTML === part.innerHTML) continue;
      const chosen = all("input:checked[id]", part).map((box) => box.id);
      part.replaceChildren(...next.childNodes);
      for (const id of chosen) { const box = document.getElementById(id); if (box) box.checked = true; }
    }
    document.title = fresh.title;
    if (focus && document.activeElement?.id !== focus) document.getElementById(focus)?.focus({ preventScroll: true });
  };

  // The list follows what is typed into the search; the address keeps it, so that reloading and sharing work.
  const search = document.querySelector("form[role=search]");
  let typed;
  search?.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => {
      history.replaceState(null, "", "?" + new URLSearchParams(new FormData(search)));
      refresh().catch(() => {});
    }, 200);
  });

  let stream, due;
  const soon = () => { clearTimeout(due); due = setTimeout(() => refresh().catch(() => {}), 150); };
  const open = () => {
    stream = new EventSource(live);
    stream.addEventListener("changed", soon);
    stream.addEventListener("over", () => { stream.close(); location.reload(); });
  };
  const close = () => { stream?.close(); stream = undefined; };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else { open(); soon(); }
  });
  addEventListener("pagehide", close);
  if (!document.hidden) open();
  setInterval(() => { if (!document.hidden) soon(); }, 60000);
})();
