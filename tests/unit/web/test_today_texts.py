"""What the first page and the pages of rates say in code has its Chinese, with the same values in it."""

import ast
import re
from pathlib import Path

import engine.web.console
from engine.web.console.languages import language
from engine.web.console.rates.period import PRESETS
from engine.web.console.today import standing_text
from engine.web.console.today.health import _CLASSES, _SHED

FOLDER = Path(engine.web.console.__file__).parent
MODULES = [
    *(FOLDER / "today").glob("*.py"),
    *(FOLDER / "rates").glob("*.py"),
    FOLDER / "screens" / "today.py",
    FOLDER / "screens" / "kpis.py",
]
VALUE = re.compile(r"%\((\w+)\)s")


def test_every_text_in_code_has_its_chinese() -> None:
    texts = {
        *PRESETS.values(),
        *standing_text.TEXTS,
        *_SHED.values(),
        *(text for pair in _CLASSES.values() for text in pair),
    }
    for module in MODULES:
        for call in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "text":
                texts |= {str(part.value) for part in call.args[:1] if isinstance(part, ast.Constant)}
    assert len(texts) > 30
    assert sorted(texts - set(language("zh").texts)) == []


def test_the_chinese_has_the_values_of_the_english() -> None:
    for english, chinese in language("zh").texts.items():
        if VALUE.search(english):
            assert set(VALUE.findall(english)) == set(VALUE.findall(chinese)), english
            assert "%" not in VALUE.sub("", chinese).replace("%%", ""), chinese
