"""Configuration: every key with its meaning and bounds; check, compare, rehearse, apply."""

from starlette.responses import Response

from engine.web.console import configuration_text, forms
from engine.web.console.console import Console, Handler
from engine.web.console.page import Page
from engine.web.console.screens.line_plot import line_plot
from engine.web.console.screens.screen import Action, Screen
from patrol.v1.configuration_pb2 import GetConfigRequest
from patrol.v1.scheduler_pb2 import ApplyConfigRequest, ConfigReport, DiffConfigRequest, ValidateConfigRequest

_TOML_CHARS_MAX = 1_000_000
_FORM_BYTES_MAX = 2_000_000
_VALUE_CHARS_MAX = 20_000
_HOURS_MAX = 168
_PLOT = 720, 200


async def edit(page: Page) -> Response:
    """Show the keys of a section to change."""
    config = await page.call(GetConfigRequest())
    sections = configuration_text.sections(config.settings)
    section = forms.choice(page.query, "section", sections, "scheduler")
    settings = [row for row in config.settings if configuration_text.section_of(row.key) == section]
    return await page.render(
        "configuration.html.jinja",
        config=config,
        sections=sections,
        section=section,
        settings=settings,
        is_changeable=configuration_text.is_changeable,
    )


async def check(page: Page) -> Response:
    """Show what the typed configuration would change, and what is wrong with it."""
    config = await page.call(GetConfigRequest())
    if "toml" in page.form:
        toml = forms.text(page.form, "toml", _TOML_CHARS_MAX) + "\n"
    else:
        typed = {
            row.key: forms.text(page.form, f"value.{row.key}", _VALUE_CHARS_MAX)
            for row in config.settings
            if f"value.{row.key}" in page.form
        }
        toml = configuration_text.compose(config.settings, typed)
    return await _checked(page, toml, config.revision)


async def apply(page: Page) -> Response:
    """Apply a configuration that was checked, unless somebody applied another meanwhile."""
    toml = forms.text(page.form, "toml", _TOML_CHARS_MAX) + "\n"
    expected = forms.text(page.form, "revision", 64)
    report = await page.call(ApplyConfigRequest(toml=toml, expected_revision=expected))
    return await page.render("configuration_applied.html.jinja", report=report)


def rehearse(console: Console) -> Handler:
    """Return what begins a rehearsal."""

    async def handle(page: Page) -> Response:
        toml = forms.text(page.form, "toml", _TOML_CHARS_MAX) + "\n"
        hours = forms.number(page.form, "hours", 24, 1, _HOURS_MAX)
        name = console.rehearsals.begin(page, toml, hours)
        return page.go_to("/scheduler/rehearsal", name=name)

    return handle


def rehearsal(console: Console) -> Handler:
    """Return what shows a rehearsal: its progress, then its result."""

    async def handle(page: Page) -> Response:
        name = forms.text(page.query, "name", 64)
        shown = console.rehearsals.get(name)
        template = "rehearsal_part.html.jinja" if page.is_part else "rehearsal.html.jinja"
        plots = _plots(page, shown.result) if shown.result is not None else []
        return await page.render(template, name=name, shown=shown, plots=plots)

    return handle


def break_off(console: Console) -> Handler:
    """Return what ends a rehearsal."""

    async def handle(page: Page) -> Response:
        console.rehearsals.end(forms.text(page.form, "name", 64))
        return page.go_to("/scheduler/config")

    return handle


async def _checked(page: Page, toml: str, revision: str) -> Response:
    validation = await page.call(ValidateConfigRequest(toml=toml))
    report = ConfigReport()
    if not validation.problems:
        report = await page.call(DiffConfigRequest(toml=toml))
    return await page.render(
        "configuration_checked.html.jinja",
        400 if validation.problems else 200,
        toml=toml,
        revision=revision,
        problems=validation.problems,
        warnings=validation.warnings if validation.problems else report.warnings,
        changes=report.changes,
    )


def _plots(page: Page, result: object) -> list[object]:
    timeline = result.timeline  # type: ignore[attr-defined]
    hours = [point.hour for point in timeline]
    lag = [
        (page.text("median"), [point.lag_s_p50 if point.HasField("lag_s_p50") else None for point in timeline]),
        (page.text("99 of 100"), [point.lag_s_p99 if point.HasField("lag_s_p99") else None for point in timeline]),
    ]
    flight = [(page.text("visits in flight"), [float(point.visits_in_flight) for point in timeline])]
    return [
        line_plot(page.text("How late visits began, in s"), hours, lag, *_PLOT),
        line_plot(page.text("Visits in flight"), hours, flight, *_PLOT),
    ]


SCREEN = Screen(
    "",
    "",
    (
        Action("/scheduler/config", edit, "configuration"),
        Action("/scheduler/config/check", check, "configuration-check", "POST", form_bytes_max=_FORM_BYTES_MAX),
        Action("/scheduler/config/apply", apply, "configuration-apply", "POST", form_bytes_max=_FORM_BYTES_MAX),
        Action("/scheduler/rehearse", rehearse, "rehearse", "POST", needs_console=True, form_bytes_max=_FORM_BYTES_MAX),
        Action("/scheduler/rehearsal", rehearsal, "rehearsal", needs_console=True),
        Action("/scheduler/rehearsal/end", break_off, "rehearsal-end", "POST", needs_console=True),
    ),
    role="operator",
    everywhere=True,
)
