"""Parses the 20-digit codes of GB/T 28181, and maps its catalogue fields to the registry's columns. Pure.

Field names are those of WVP-PRO's channels (CommonGBChannel): the catalogue items of GB/T 28181-2022 (A.2.1) with the
prefix `gb`. Five of them correspond to columns of the registry; it does not keep the others, and a reader reports them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from engine.errors import RegistryError
from engine.model.camera import Camera
from engine.rows.cells import spreadsheet_problem

REGISTRY_COLUMNS = tuple(column.name for column in fields(Camera))

REGISTRY_NAME = {
    "gbDeviceId": "camera_id",
    "gbName": "name",
    "gbCivilCode": "region",
    "gbStatus": "platform_status",
}
"""Fields that correspond to a column of the registry, value for value."""
PARENT = "gbParentId"
"""The code of a recorder is the column `uplink`, of a virtual organisation `site_id`; other codes are not kept."""
GB_COLUMNS = (*REGISTRY_NAME, PARENT, *(name for name in REGISTRY_COLUMNS if name not in REGISTRY_NAME.values()))
"""Columns of a file in GB/T 28181 names: those of the standard where there is one, the registry's for the rest."""
NOT_KEPT = frozenset({
    "gbManufacturer", "gbModel", "gbOwner", "gbBlock", "gbAddress", "gbParental", "gbSafetyWay",
    "gbRegisterWay", "gbCertNum", "gbCertifiable", "gbErrCode", "gbEndTime", "gbSecrecy", "gbIpAddress",
    "gbPort", "gbPassword", "gbLongitude", "gbLatitude", "gbBusinessGroupId", "gbPtzType", "gbPositionType",
    "gbRoomType", "gbUseType", "gbSupplyLightType", "gbDirectionType", "gbResolution", "gbDownloadSpeed",
    "gbSvcSpaceSupportMod", "gbSvcTimeSupportMode", "gbId", "recordPLan", "dataType", "dataDeviceId",
    "jtChannelId", "createTime", "updateTime",
})  # fmt: skip
"""Fields of GB/T 28181 and of WVP-PRO that have no column in the registry."""
VERDICT_PREFIX = "verdict_"
"""Prefix of the columns of an export with verdicts; an import ignores them."""

ON, OFF = "ON", "OFF"
"""Values of gbStatus, and of `platform_status` after a pull."""

_CODE_DIGITS = 20
_KINDS = {
    "111": "DVR", "112": "video server", "113": "encoder", "114": "decoder", "115": "video matrix",
    "116": "audio matrix", "117": "alarm controller", "118": "NVR", "130": "HVR", "131": "camera",
    "132": "network camera", "133": "display", "134": "alarm input", "135": "alarm output", "136": "audio input",
    "137": "audio output", "138": "mobile transmission", "139": "other peripheral", "200": "signalling server",
    "215": "business group", "216": "virtual organisation",
}  # fmt: skip
_CAMERA_KINDS = frozenset({"131", "132"})
_RECORDER_KINDS = frozenset({"111", "112", "113", "118", "130"})
_ORGANISATION = "216"


@dataclass(frozen=True, slots=True)
class GbCode:
    """A code in parts: 8 digits of region, 2 of industry (11 is education), 3 of kind, 1 of network, 6 of serial
    number.

    GB/T 28181-2022, annex E. `civil`: 6 digits of GB/T 2260 and 2 of the basic unit, 00 if there is none.
    """

    civil: str
    industry: str
    kind: str
    network: str
    serial: str

    @property
    def county(self) -> str:
        """The 6 digits of GB/T 2260."""
        return self.civil[:6]

    @property
    def kind_name(self) -> str:
        """The name of its kind; `kind` and the digits if the standard leaves them open."""
        return _KINDS.get(self.kind, f"kind {self.kind}")

    @property
    def is_camera(self) -> bool:
        """Whether it is a camera: kind 131 or 132."""
        return self.kind in _CAMERA_KINDS

    @property
    def is_recorder(self) -> bool:
        """Whether cameras can be connected to it: DVR, video server, encoder, NVR or HVR."""
        return self.kind in _RECORDER_KINDS

    @property
    def is_organisation(self) -> bool:
        """Whether it is a virtual organisation (216): a node of a platform's tree, usually a school."""
        return self.kind == _ORGANISATION

    @property
    def is_platform(self) -> bool:
        """Whether it is a server, group, user or platform (kinds from 200 on), and so no device."""
        return self.kind >= "200"

    def __str__(self) -> str:
        """Return the 20 digits."""
        return self.civil + self.industry + self.kind + self.network + self.serial


def parse_code(text: str) -> GbCode:
    """Split a code into its parts. Raises ValueError, saying what is wrong with it."""
    if len(text) != _CODE_DIGITS or not (text.isascii() and text.isdecimal()):
        raise ValueError(f"a GB/T 28181 code has {_CODE_DIGITS} digits and nothing else")
    if text[0] == "0":
        raise ValueError("a GB/T 28181 code begins with a region of GB/T 2260; none begins with 0")
    return GbCode(text[:8], text[8:10], text[10:13], text[13], text[14:])


def code_of(text: str) -> GbCode | None:
    """Return the code in parts; None if the text is no code."""
    try:
        return parse_code(text)
    except ValueError:
        return None


@dataclass(slots=True)
class RegistryRow:
    """A row under the registry's column names.

    `given`: the file's name of a column. `problems`: column, value and message. `notes`: what was left out or changed.
    """

    cells: dict[str, str]
    given: dict[str, str]
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_names(names: Iterable[str], required: Iterable[str] = ("camera_id", "url")) -> None:
    """Raise RegistryError unless these can be the columns of a file: all known, none twice, `required` included."""
    listed = list(names)
    columns = [REGISTRY_NAME.get(name, name) for name in listed]
    known = {*REGISTRY_COLUMNS, *REGISTRY_NAME, PARENT, *NOT_KEPT}
    unknown = [name for name in listed if name not in known and not name.startswith(VERDICT_PREFIX)]
    missing = [name for name in required if name not in columns]
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if not (unknown or missing or twice):
        return
    separator = next((mark for mark in "\t;，、" if len(listed) == 1 and mark in listed[0]), "")
    if separator:
        raise RegistryError(f"the columns are separated by {separator!r}; allowed: a comma; save the file as CSV UTF-8")
    what = [
        *(f"unknown column {name!r}" for name in unknown),
        *(f"column {name!r} is missing" for name in missing),
        *(f"column {name!r} appears twice" for name in twice),
    ]
    allowed = f"{', '.join(REGISTRY_COLUMNS)}, or the GB/T 28181 names {', '.join((*REGISTRY_NAME, PARENT))}"
    raise RegistryError(f"{', '.join(what)}; allowed: {allowed}; mend the names of the columns")


def to_registry_row(cells: Mapping[str, str]) -> RegistryRow:
    """Convert a row to the registry's column names, whichever names it came with.

    Empty cells of fields that the registry does not keep are ignored. A column that the file does not have is filled
    from the code: the region from its first 6 digits, uplink or site from gbParentId.
    """
    row = RegistryRow({}, {})
    in_gb_names = False
    for name, cell in cells.items():
        column = REGISTRY_NAME.get(name, name)
        in_gb_names |= name in REGISTRY_NAME or name == PARENT
        if column in REGISTRY_COLUMNS:
            row.cells[column] = cell
            row.given[column] = name
        elif cell and name != PARENT:
            row.notes.append(f"{name} is not kept by the registry")
    problem = spreadsheet_problem(cells.get(PARENT, ""))
    if problem:
        row.problems.append((PARENT, cells[PARENT], problem))
    if in_gb_names:
        _fill_from_code(row, cells.get(PARENT, ""))
    return row


def parents_of(parent: str) -> dict[str, str]:
    """Return the columns that the codes in a gbParentId (`code/code`) give: `uplink`, `site_id`, both or none."""
    columns: dict[str, str] = {}
    for code in map(code_of, parent.split("/")):
        if code is not None and code.is_recorder:
            columns.setdefault("uplink", str(code))
        elif code is not None and code.is_organisation:
            columns.setdefault("site_id", str(code))
    return columns


def to_gb(camera: Camera) -> dict[str, object]:
    """Return a camera under GB_COLUMNS. Nothing is lost: `to_registry_row` gives the columns back."""
    values: dict[str, object] = {given: getattr(camera, column) for given, column in REGISTRY_NAME.items()}
    values[PARENT] = _parent(camera)
    return values | {name: getattr(camera, name) for name in GB_COLUMNS if name not in values}


def _parent(camera: Camera) -> str:
    recorder, organisation = code_of(camera.uplink), code_of(camera.site_id)
    if recorder is not None and recorder.is_recorder:
        return camera.uplink
    return camera.site_id if organisation is not None and organisation.is_organisation else ""


def _fill_from_code(row: RegistryRow, parent: str) -> None:
    camera_id = row.cells.get("camera_id", "")
    code = code_of(camera_id)
    if code is None:
        row.notes.append(f"{row.given.get('camera_id', 'camera_id')} is no 20-digit code of GB/T 28181")
    elif code.is_platform:
        message = f"is a {code.kind_name} (kind {code.kind}), no camera; remove the row"
        row.problems.append((row.given["camera_id"], camera_id, message))
    region = row.cells.get("region", "")
    if len(region) == 8 and region.isdecimal():
        row.cells["region"] = region[:6]
        row.notes.append(f"{row.given['region']} has 8 digits, the county's 6 are kept")
    if "region" not in row.cells and code is not None:
        row.cells["region"] = short_code(code.county)
    parents = parents_of(parent)
    if parent and not parents:
        row.notes.append(f"{PARENT} is neither a recorder nor a virtual organisation, and not kept")
    for column, value in parents.items():
        if column not in row.cells:
            row.cells[column] = value
            row.given[column] = PARENT


def short_code(code: str) -> str:
    """Remove the trailing pairs of zeros: 130100 is 1301. Text that is no code is returned as it is."""
    while len(code) > 2 and len(code) % 2 == 0 and code.endswith("00"):
        code = code[:-2]
    return code
