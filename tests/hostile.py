"""Text with which an agent may try to deceive readers: one corpus for page, mail, chat, terminal and webhook."""

from typing import Final

CORPUS: Final[dict[str, str]] = {
    "script": "<script>alert(1)</script>",
    "image": '<img src="https://evil.test/x.png" onerror="alert(1)">',
    "svg": "<svg/onload=alert(1)>",
    "form": '</form><form action="https://evil.test"><button>Approve</button>',
    "base": '<base href="https://evil.test/">',
    "meta": '<meta http-equiv="refresh" content="0;url=https://evil.test">',
    "attribute": '" autofocus onfocus="alert(1)" x="',
    "comment": "--><b>Approved by security</b><!--",
    "closing": "</title></h1></textarea></option></select></blockquote><h1>Safe</h1>",
    "template": "{{ 7 * 7 }} {% include 'login.html' %} ${7*7} #{7*7} {{ config }}",
    "format": "%s %(password)s {0} {password}",
    "markdown": "![x](https://evil.test/p.png) [Approve](https://evil.test)",
    "mention": "<!channel> <@U1> <!here|x> <https://evil.test|Open ticket> *Verified* :white_check_mark:",
    "entity": "&lt;b&gt; &#x202e; &amp;",
    "bidi": "file\u202egpj.exe\u2066x\u2069",
    "zero width": "prod\u200b-db\u200d\ufeff",
    "ansi": "\x1b[2J\x1b[1;31mdone\x07\x9b31m",
    "osc link": "\x1b]8;;https://evil.test\x1b\\Open ticket\x1b]8;;\x1b\\",
    "overwrite": "DROP TABLE users\rSELECT 1        \x08\x08",
    "lookalike": "https://p\u0430ypal.test",
    "crlf": "Title\r\nBcc: all@acme.example",
    "smtp end": "x\r\n.\r\nRCPT TO:<all@acme.example>",
    "tags": "\U000e0041\U000e0042",
    "fillers": "\u3164\u115f\uffa0\u2800\u034f\ufe0f\u180e",
    "variation": "yes\ufe0e\U000e0100no",
    "separators": "a\u2028Risk: none\u2029b\u0085c",
    "zalgo": "a" + "\u0301" * 40,
    "nul": "a\x00b\x7f",
    "javascript": "javascript:alert(1)",
    "long line": "x" * 5000,
}
# Refused at the door of the API; a message must go out all the same.
UNPAIRED: Final = "lone \ud800 surrogate \udfff"
LAST_LINE: Final = "DROP TABLE customers;"
HUGE: Final = "\n".join(f"-- migration line {n:05d} ............" for n in range(5600)) + "\n" + LAST_LINE
