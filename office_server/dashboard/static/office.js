/* What the browser does by itself: counts times on, says how fresh the page is, and hears keys. */
(() => {
  const BASE = "/dashboard";
  const language = () => document.documentElement.dataset.language || "en";
  /* Quasar writes its own language into the page, which is not the one that the page speaks. */
  const speak = () => { if (document.documentElement.lang !== language()) document.documentElement.lang = language(); };
  new MutationObserver(speak).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
  speak();
  let inWords = null;
  const ago = (seconds) => {
    if (!inWords || inWords.language !== language())
      inWords = { language: language(), format: new Intl.RelativeTimeFormat(language(), { numeric: "auto", style: "short" }) };
    const away = Math.abs(seconds);
    const [size, unit] = away < 60 ? [1, "second"] : away < 3600 ? [60, "minute"] : away < 86400 ? [3600, "hour"] : [86400, "day"];
    return inWords.format.format(-Math.trunc(seconds / size), unit);
  };

  /* The server's beat: a page whose beat stands still is old, whoever is to blame. */
  let beatAt = performance.now(), hears = false, met = false;
  const fresh = () => {
    const mark = document.getElementById("fresh");
    if (!mark) return;
    if (window.socket && !hears) {
      hears = true;
      for (const turn of ["connect", "disconnect"]) window.socket.on(turn, fresh);
    }
    const seconds = Math.round((performance.now() - beatAt) / 1000);
    const connected = window.socket ? window.socket.connected : true;
    const old = seconds >= 4;
    met ||= connected;
    if (!met && !old) return; // it has only just been opened
    const state = !connected ? "away" : mark.dataset.trouble ? "trouble" : old ? "stale" : "live";
    const age = mark.dataset.stale.replace("{seconds}", seconds);
    const text = state === "live" ? mark.dataset.live
      : state === "away" ? `${mark.dataset.away} · ${age}`
      : state === "trouble" ? `${mark.dataset.trouble} · ${age}` : age;
    if (mark.dataset.state !== state) mark.dataset.state = state;
    if (mark.textContent !== text) mark.textContent = text;
  };

  const times = () => {
    for (const one of document.querySelectorAll("time.ago[datetime]")) {
      const when = one.getAttribute("datetime");
      const text = when ? ago((Date.now() - Date.parse(when)) / 1000) : "";
      if (one.textContent !== text) one.textContent = text;
      if (when && !one.title) one.title = new Date(when).toLocaleString(language());
    }
  };
  setInterval(() => { times(); fresh(); }, 500);
  new MutationObserver(() => { times(); fresh(); }).observe(document.documentElement, { childList: true, subtree: true });

  /* On a narrow screen the pages stand in a row that scrolls: the one that is open is in sight. */
  const bring = setInterval(() => {
    const place = document.querySelector(".place[aria-current]");
    if (!place) return;
    clearInterval(bring);
    place.parentElement.scrollLeft = place.offsetLeft - (place.parentElement.clientWidth - place.offsetWidth) / 2;
  }, 50);

  /* Which cards are in sight: only those are sent their output. */
  const inSight = new Set();
  let told = "", telling = null;
  const tell = () => {
    telling = null;
    for (const id of inSight) if (!document.querySelector(`[data-session="${id}"]`)) inSight.delete(id);
    const ids = [...inSight].sort().join(",");
    if (ids !== told && window.emitEvent) { told = ids; window.emitEvent("in_sight", { ids: [...inSight] }); }
  };
  const sight = new IntersectionObserver((entries) => {
    for (const entry of entries) inSight[entry.isIntersecting ? "add" : "delete"](entry.target.dataset.session);
    telling ??= setTimeout(tell, 60);
  }, { rootMargin: "200px" });
  const seen = new WeakSet();
  const find = () => {
    for (const card of document.querySelectorAll("[data-session]"))
      if (!seen.has(card)) { seen.add(card); sight.observe(card); }
  };
  setInterval(find, 300);

  /* The last lines of terminals. What comes faster than it is drawn is never drawn; of a session that is out of sight
     its place keeps what stood there. */
  const tails = new Map(), drawn = new WeakMap();
  let drawing = null;
  const draw = () => {
    drawing = null;
    for (const place of document.querySelectorAll("[data-tail]")) {
      const session = place.dataset.tail;
      if (drawn.get(place) === session && !tails.has(session)) continue;
      drawn.set(place, session);
      const text = tails.get(session) ?? "";
      if (place.firstChild?.nodeType !== Node.TEXT_NODE) place.prepend("");
      if (place.firstChild.data !== text) place.firstChild.data = text;
    }
  };
  setInterval(() => { drawing ??= requestAnimationFrame(draw); }, 300); // places that are new

  /* Keys. What is typed into a field or a terminal is nobody else's. */
  const typing = (target) => target.closest?.("input, textarea, select, [contenteditable=true], .xterm");
  let go = -Infinity; // when "g" was pressed: not when the page began
  const items = () => [...document.querySelectorAll("[data-item]")].filter((one) => one.offsetParent);
  const move = (by) => {
    const all = items();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement?.closest?.("[data-item]"));
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    (next.tabIndex < 0 ? next.querySelector("a[href], button") : next)?.focus(); // some hold the focus by what is in them
  };
  const press = (selector, root = document) => {
    const found = [...root.querySelectorAll(selector)].find((one) => one.offsetParent && !one.disabled);
    if (found) found.click();
    return !!found;
  };
  document.addEventListener("keydown", (event) => {
    if (event.altKey && !event.ctrlKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      if (press(event.key === "ArrowLeft" ? "[data-previous]" : "[data-next]")) { event.preventDefault(); event.stopPropagation(); }
      return;
    }
    if (event.altKey || event.ctrlKey || event.metaKey || typing(event.target)) return;
    const open = document.querySelector(".q-dialog");
    const now = performance.now();
    if (!open && now - go < 1200) {
      go = -Infinity;
      if (press(`[data-go="${CSS.escape(event.key)}"]`)) { event.preventDefault(); return; }
    }
    const item = document.activeElement?.closest?.("[data-item]");
    if (item && event.key.length === 1 && press(`[data-press="${CSS.escape(event.key)}"]`, item)) { event.preventDefault(); return; }
    if (open) return;
    if (event.key === "g") go = now;
    else if (event.key === "/") { const search = document.querySelector("[data-search] input, input[data-search]"); if (search) { search.focus(); event.preventDefault(); } }
    else if (event.key === "j" || event.key === "ArrowDown") { if (items().length && (event.key === "j" || item)) { move(1); event.preventDefault(); } }
    else if (event.key === "k" || event.key === "ArrowUp") { if (items().length && (event.key === "k" || item)) { move(-1); event.preventDefault(); } }
    else if (event.key === "?") { window.semo.keys(); event.preventDefault(); }
  }, true);

  window.semo = {
    hear(told) {
      if (told.beat) { beatAt = performance.now(); fresh(); }
      for (const [session, tail] of Object.entries(told.tails)) tails.set(session, tail);
      for (const session of told.left) tails.delete(session);
      drawing ??= requestAnimationFrame(draw);
    },
    keys() {
      const dialog = document.getElementById("keys");
      if (!dialog.open) dialog.showModal();
      dialog.addEventListener("click", () => dialog.close(), { once: true });
    },
    signOut() {
      const form = Object.assign(document.createElement("form"), { method: "post", action: `${BASE}/sign-out` });
      document.body.append(form);
      form.submit();
    },
    theme(theme) {
      document.cookie = `semo_theme=${theme}; path=${BASE}; max-age=31536000; samesite=lax`;
      Quasar.Dark.set(theme === "auto" ? "auto" : theme === "dark");
      window.emitEvent?.("theme", { theme });
    },
    /* Of a dialog what is to be copied; browsers keep their clipboard from pages that came without TLS from elsewhere. */
    copy(button) {
      const command = button.closest("[role=dialog]").querySelector(".command");
      getSelection().selectAllChildren(command);
      if (navigator.clipboard) navigator.clipboard.writeText(command.textContent);
      else document.execCommand("copy");
    },
  };
})();
