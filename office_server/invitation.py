"""How a one-time code is handed over: as a link, as a command to copy, and as a picture of the link. Makes no codes."""

import base64
import hashlib
import io
from dataclasses import dataclass

import segno

_SCRIPT = """
const code = decodeURIComponent(location.hash.slice(1));
const sound = /^[0-9A-Za-z-]{4,40}$/.test(code);
const base = location.href.split('#')[0].replace(/\\/join$/, '');
const command = document.getElementById('command');
if (sound) command.textContent = 'semo client join ' + code + ' --office-url ' + base;
else command.textContent = 'There is no code in this link. Ask the admin of the office for a new one.';
document.getElementById('copy').hidden = !sound;
document.getElementById('copy').onclick = async () => {
  await navigator.clipboard.writeText(command.textContent);
  document.getElementById('said').textContent = 'copied';
};
"""
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 44rem; margin: 12vh auto; padding: 0 1rem; }
code { display: block; padding: 1rem; border: 1px solid color-mix(in srgb, currentColor 30%, transparent);
       border-radius: .5rem; overflow-wrap: anywhere; user-select: all; font-size: 1rem; }
button { font: inherit; padding: .5rem 1rem; margin: 1rem 1rem 0 0; border-radius: .5rem; }
"""
PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Join an office</title>
<style>{_STYLE}</style>
<main>
<h1>Join an office</h1>
<p>Run this in a terminal of the machine that is to lend its terminals to the office. The code is good once, and for ten
minutes. What may run there, that machine's own policy says.</p>
<code id="command" tabindex="0">semo client join CODE --office-url URL</code>
<button id="copy" hidden>Copy</button><span id="said" role="status"></span>
</main>
<script>{_SCRIPT}</script>
</html>
"""


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


PAGE_POLICY = {
    "Content-Security-Policy": f"default-src 'none'; script-src {_digest(_SCRIPT)}; style-src {_digest(_STYLE)};"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""The page runs its own script and loads nothing."""


@dataclass(frozen=True, repr=False)
class Invitation:
    """A code, and the address at which the machine reaches the office server."""

    code: str
    office_url: str

    @property
    def link(self) -> str:
        """Browsers do not send what is behind the #, so the code is in no log of a server or proxy."""
        return f"{self.office_url}/join#{self.code}"

    @property
    def command(self) -> str:
        return f"semo client join {self.code} --office-url {self.office_url}"

    def svg(self) -> str:
        """The link as a QR code, for a page."""
        picture = io.BytesIO()
        segno.make(self.link, error="m", micro=False).save(
            picture, kind="svg", scale=4, border=4, light="#fff", xmldecl=False, svgns=True, title="Join the office"
        )
        return picture.getvalue().decode()
