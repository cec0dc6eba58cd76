"""GB/T 28181: the 20-digit code, and its catalogue fields beside the registry's columns. Pure.

Field names are those of WVP-PRO's channels (CommonGBChannel), which are the catalogue items of GB/T 28181-2022 (A.2.1)
with `gb` before them. Five of them say what a column of ours says; the others the registry does not keep, and a
reader names them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from engine.errors import RegistryError
from engine.interchange.regions import short_code
from engine.model.camera import Camera

REGISTRY_COLUMNS = tuple(one.name for one in fields(Camera))

REGISTRY_NAME = {
    "gbDeviceId": "camera_id",
    "gbName": "name",
    "gbCivilCode": "region",
    "gbStatus": "platform_status",
}
"""Fields that are a column of ours, value for value."""
PARENT = "gbParentId"
"""A recorder is our `uplink`, a virtual organisation our `site_id`; anything else the registry does not keep."""
GB_COLUMNS = (*REGISTRY_NAME, PARENT, *(name for name in REGISTRY_COLUMNS if name not in REGISTRY_NAME.values()))
"""A camera in GB/T 28181 names: what has one goes by it, the rest by ours, so that nothing is lost."""
NOT_KEPT = frozenset({
    "gbManufacturer", "gbModel", "gbOwner", "gbBlock", "gbAddress", "gbParental", "gbSafetyWay",
    "gbRegisterWay", "gbCertNum", "gbCertifiable", "gbErrCode", "gbEndTime", "gbSecrecy", "gbIpAddress",
    "gbPort", "gbPassword", "gbLongitude", "gbLatitude", "gbBusinessGroupId", "gbPtzType", "gbPositionType",
    "gbRoomType", "gbUseType", "gbSupplyLightType", "gbDirectionType", "gbResolution", "gbDownloadSpeed",
    "gbSvcSpaceSupportMod", "gbSvcTimeSupportMode", "gbId", "recordPLan", "dataType", "dataDeviceId",
    "jtChannelId", "createTime", "updateTime",
})  # fmt: skip
"""Fields of GB/T 28181 and of WVP-PRO's own that the registry has no column for."""
VERDICT_PREFIX = "verdict_"
"""What the engine says itself, in an export with verdicts: never read back."""

ON, OFF = "ON", "OFF"
"""Values of gbStatus, and what pulls write into `platform_status`."""

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
    """A code taken apart: 8 digits of region, 2 of industry (11 is education), 3 of kind, 1 of network, 6 serial.

    GB/T 28181-2022, annex E. `civil`: 6 digits of GB/T 2260 and 2 of the basic unit, 00 where there is none.
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
        """What kind of thing it names, in a word or two; the digits where the standard leaves them open."""
        return _KINDS.get(self.kind, f"kind {self.kind}")

    @property
    def is_camera(self) -> bool:
        """131 or 132."""
        return self.kind in _CAMERA_KINDS

    @property
    def is_recorder(self) -> bool:
        """What cameras hang on: DVR, video server, encoder, NVR, HVR."""
        return self.kind in _RECORDER_KINDS

    @property
    def is_organisation(self) -> bool:
        """216: a node of a platform's tree, a school as a rule."""
        return self.kind == _ORGANISATION

    @property
    def is_platform(self) -> bool:
        """A server, group, user or platform (kinds from 200 on), and so no device at all."""
        return self.kind >= "200"

    def __str__(self) -> str:
        """The 20 digits."""
        return self.civil + self.industry + self.kind + self.network + self.serial


def parse_code(text: str) -> GbCode:
    """Take a code apart. Raises ValueError that says what is wrong with it."""
    if len(text) != _CODE_DIGITS or not (text.isascii() and text.isdecimal()):
        raise ValueError(f"a GB/T 28181 code has {_CODE_DIGITS} digits and nothing else")
    if text[0] == "0":
        raise ValueError("a GB/T 28181 code begins with a region of GB/T 2260; none begins with 0")
    return GbCode(text[:8], text[8:10], text[10:13], text[13], text[14:])


def code_of(text: str) -> GbCode | None:
    """The code, or None if this is none."""
    try:
        return parse_code(text)
    except ValueError:
        return None


@dataclass(slots=True)
class RegistryRow:
    """A row under our columns' names. `given`: what the file calls a column. `notes`: what was left or changed."""

    cells: dict[str, str]
    given: dict[str, str]
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_names(names: Iterable[str], required: Iterable[str] = ("camera_id", "url")) -> None:
    """Raise RegistryError unless these can be the columns of a file: known, each once, with what must be there."""
    listed = list(names)
    own = [REGISTRY_NAME.get(name, name) for name in listed]
    known = {*REGISTRY_COLUMNS, *REGISTRY_NAME, PARENT, *NOT_KEPT}
    unknown = [name for name in listed if name not in known and not name.startswith(VERDICT_PREFIX)]
    missing = [name for name in required if name not in own]
    twice = [name for name in dict.fromkeys(own) if own.count(name) > 1]
    if not (unknown or missing or twice):
        return
    what = [
        *(f"unknown column {name!r}" for name in unknown),
        *(f"column {name!r} is missing" for name in missing),
        *(f"column {name!r} stands twice" for name in twice),
    ]
    allowed = f"{', '.join(REGISTRY_COLUMNS)}, or the GB/T 28181 names {', '.join((*REGISTRY_NAME, PARENT))}"
    raise RegistryError(f"{', '.join(what)}; allowed: {allowed}; mend the names of the columns")


def to_registry_row(cells: Mapping[str, str]) -> RegistryRow:
    """A row under our columns' names, whichever names it came with.

    Empty cells of fields that the registry does not keep are passed over. A column of ours that the file does not have
    is filled from the code: the region from its first 6 digits, uplink or site from gbParentId.
    """
    row = RegistryRow({}, {})
    in_gb_names = False
    for name, cell in cells.items():
        own = REGISTRY_NAME.get(name, name)
        in_gb_names |= name in REGISTRY_NAME or name == PARENT
        if own in REGISTRY_COLUMNS:
            row.cells[own] = cell
            row.given[own] = name
        elif cell and name != PARENT:
            row.notes.append(f"{name} is not kept by the registry")
    if in_gb_names:
        _fill_from_code(row, cells.get(PARENT, ""))
    return row


def parents_of(parent: str) -> dict[str, str]:
    """Columns of ours that a gbParentId gives, of all the codes in it (`code/code`): uplink, site_id, both, none."""
    found: dict[str, str] = {}
    for code in map(code_of, parent.split("/")):
        if code is not None and code.is_recorder:
            found.setdefault("uplink", str(code))
        elif code is not None and code.is_organisation:
            found.setdefault("site_id", str(code))
    return found


def to_gb(camera: Camera) -> dict[str, object]:
    """A camera under GB_COLUMNS. Loss-free: `to_registry_row` gives its columns back."""
    values: dict[str, object] = {given: getattr(camera, own) for given, own in REGISTRY_NAME.items()}
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
    above = parents_of(parent)
    if parent and not above:
        row.notes.append(f"{PARENT} is neither a recorder nor a virtual organisation, and not kept")
    for own, value in above.items():
        if own not in row.cells:
            row.cells[own] = value
            row.given[own] = PARENT
