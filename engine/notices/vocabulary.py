"""The texts of digests in Chinese and in English. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from engine.model.findings import FindingState, Level
from engine.model.kpi import KpiName
from engine.model.verdict import Cause, FaultKind, Severity


class Lang(StrEnum):
    """Language of a digest."""

    ZH = "zh"
    EN = "en"


Pair = tuple[str, str]
"""Chinese, English."""

_KPIS: Mapping[KpiName, tuple[Pair, Pair, Pair]] = {
    KpiName.CLARITY: (
        ("清晰度达标率", "Clarity"),
        ("监控视频清晰度达标率", "Clarity compliance"),
        ("画面清晰的摄像头 / 取得画面的摄像头", "clear cameras / cameras with a picture"),
    ),
    KpiName.ONLINE: (
        ("联网率", "Online"),
        ("视频信息联网率", "Online rate"),
        ("有新画面的摄像头 / 启用的摄像头", "cameras with a fresh picture / enabled cameras"),
    ),
    KpiName.KEY_POINT_COVERAGE: (
        ("重点点位覆盖率", "Key points"),
        ("重点点位全流程覆盖率", "Key-point coverage"),
        ("各重点点位均可看清的食堂 / 全部食堂", "canteens seen at every key point / canteens"),
    ),
    KpiName.PATROL_COVERAGE: (
        ("巡查覆盖率", "Patrol"),
        ("巡查覆盖率", "Patrol coverage"),
        ("按期巡查的次数 / 应巡查的次数", "periods with a visit / periods due"),
    ),
    KpiName.DISPLAY_SCREEN: (
        ("公示屏设置率", "Screens"),
        ("学生就餐公共区域显示屏幕设置率", "Display-screen rate"),
        ("公示屏在线且无遮挡的食堂 / 全部食堂", "canteens whose screen can be seen / canteens"),
    ),
}
_SEVERITIES: Mapping[Severity, Pair] = {
    Severity.BLIND: ("■ 无法看清", "■ blind"),
    Severity.IMPAIRED: ("▲ 看不清", "▲ impaired"),
    Severity.COSMETIC: ("○ 轻微", "○ cosmetic"),
}
_LEVELS: Mapping[Level, Pair] = {
    Level.SCHOOL: ("学校", "school"),
    Level.COUNTY: ("县级", "county"),
    Level.CITY: ("市级", "city"),
    Level.PROVINCE: ("省级", "province"),
}
_STATES: Mapping[FindingState, Pair] = {
    FindingState.OPEN: ("待通报", "open"),
    FindingState.NOTIFIED: ("已通报", "notified"),
    FindingState.ACKNOWLEDGED: ("已签收", "acknowledged"),
    FindingState.RECTIFIED: ("已申报整改", "claimed mended"),
    FindingState.RECHECKING: ("复查中", "re-checking"),
    FindingState.OVERDUE: ("逾期", "overdue"),
    FindingState.SUPERVISED: ("挂牌督办", "supervised"),
    FindingState.CLOSED: ("已销号", "closed"),
    FindingState.DISMISSED: ("已驳回", "dismissed"),
}
_KINDS: Mapping[str, Pair] = {
    FaultKind.BLURRED: ("模糊", "blurred"),
    FaultKind.TOO_DARK: ("过暗", "too dark"),
    FaultKind.TOO_BRIGHT: ("过亮", "too bright"),
    FaultKind.LOW_CONTRAST: ("对比度低", "low contrast"),
    FaultKind.COVERED: ("镜头遮挡", "covered"),
    FaultKind.PARTLY_COVERED: ("部分遮挡", "partly covered"),
    FaultKind.FROZEN: ("画面冻结", "frozen"),
    FaultKind.SIGNAL_LOSS: ("信号丢失", "signal loss"),
    FaultKind.MOVED: ("镜头移位", "moved"),
    FaultKind.STEAM: ("水汽", "steam"),
    FaultKind.GREASE: ("镜头油污", "grease"),
    FaultKind.COLOUR_CAST: ("偏色", "colour cast"),
    FaultKind.NOISY: ("噪点", "noisy"),
    FaultKind.SNOW: ("雪花", "snow"),
    FaultKind.STRIPES: ("条纹", "stripes"),
    FaultKind.CLOCK_WRONG: ("画面时间错误", "clock wrong"),
    FaultKind.NAME_WRONG: ("画面名称不符", "name wrong"),
    "offline": ("离线", "offline"),
}
_CAUSES: Mapping[str, Pair] = {
    Cause.DEFOCUS: ("失焦", "out of focus"),
    Cause.MOTION: ("抖动", "motion"),
    Cause.GREASE: ("油污", "grease"),
    Cause.STEAM: ("水汽", "steam"),
    Cause.LIGHTS_OFF: ("未开灯", "lights off"),
    Cause.OVEREXPOSURE: ("曝光过度", "overexposed"),
    Cause.BACKLIGHT: ("逆光", "backlight"),
    Cause.PICTURE_STILL: ("画面静止", "picture stands still"),
    Cause.CLOCK_STILL: ("时钟静止", "clock stands still"),
    Cause.LOW_LIGHT: ("光线不足", "low light"),
    Cause.UNDEREXPOSURE: ("曝光不足", "underexposed"),
    Cause.DROPS: ("镜头水滴", "drops on the lens"),
}
_TEXTS: Mapping[str, Pair] = {
    "html_lang": ("zh-CN", "en"),
    "day_title": ("学校食堂视频巡查日报", "Canteen camera patrol: daily digest"),
    "week_title": ("学校食堂视频巡查周报", "Canteen camera patrol: weekly digest"),
    "everywhere": ("全部地区", "All regions"),
    "so_far": ("（截至制表时）", " (so far)"),
    "made": ("制表时间", "Made"),
    "kpis": ("主要指标", "Headline figures"),
    "not_measured": ("未测", "not measured"),
    "registered": ("登记", "registered"),
    "before": ("较上期", "on the period before"),
    "points": ("个百分点", "points"),
    "unchanged": ("持平", "unchanged"),
    "no_before": ("无上期数据", "nothing to compare with"),
    "no_rate": ("无数据", "no figure"),
    "kpi_days": ("期内有数据的天数", "days with figures"),
    "findings": ("问题台账", "Findings"),
    "by_severity": ("按严重程度", "by severity"),
    "by_level": ("按责任层级", "by responsible level"),
    "opened": ("新立案", "opened"),
    "closed": ("整改销号", "closed"),
    "dismissed": ("已驳回", "dismissed"),
    "standing": ("期末未结", "still open"),
    "overdue": ("逾期", "overdue"),
    "supervised": ("挂牌督办", "supervised"),
    "total": ("合计", "total"),
    "counties": ("区县排名", "League of counties"),
    "canteens": ("食堂一览", "Canteens"),
    "place": ("名次", "place"),
    "county": ("区县", "county"),
    "canteen": ("食堂", "canteen"),
    "camera": ("摄像头", "camera"),
    "problem": ("问题", "what is wrong"),
    "severity": ("严重程度", "severity"),
    "since": ("发现时间", "since"),
    "deadline": ("整改期限", "deadline"),
    "late": ("逾期时长", "overdue for"),
    "level": ("责任层级", "level"),
    "state": ("状态", "state"),
    "number": ("编号", "no."),
    "code": ("代码", "code"),
    "camera_id": ("摄像头编码", "camera id"),
    "rate": ("比率", "rate"),
    "numerator": ("分子", "numerator"),
    "denominator": ("分母", "denominator"),
    "open_findings": ("未结问题清单", "Open findings"),
    "none_open": ("期末无未结问题。", "No finding was open at the end of the period."),
    "order_open": (
        "挂牌督办的在前，其次逾期的，再按严重程度和期限排列。",
        "Supervised findings first, then overdue ones, then by severity and deadline.",
    ),
    "fault_picture": ("问题画面", "the fault"),
    "baseline_picture": ("平时画面", "usual picture"),
    "good_picture": ("最近一次正常画面", "last good picture"),
    "no_picture": ("无画面", "no picture kept"),
    "offline_picture": ("离线，无画面", "offline, no picture"),
    "no_good": ("无可对比的正常画面", "no good picture to compare with"),
    "without_pictures": ("其余问题（不附画面）", "The others, without pictures"),
    "score": ("得分", "points"),
    "league_rule": (
        "排名规则：期末没有未结问题的区县排在前面，有未结问题的排在其后；两组内均按得分由高到低排列。"
        "得分 = 清晰度达标率（%）− 每百路摄像头的未结问题数，逾期的一项按两项计。实测不足登记数一半的不排名。",
        "Order: counties without an open finding come before those with one; within both groups the most points come "
        "first. Points = clarity in % - open findings per 100 cameras, an overdue one counting twice. No place where "
        "less than half of the registered cameras was measured.",
    ),
    "canteen_rule": (
        "排列：没有未结问题的食堂在前；两组内均按得分由高到低排列。得分 = 清晰度达标率（%）− 每百路摄像头的未结问题数，"
        "逾期的一项按两项计。路数太少，不排名次。",
        "Order: canteens without an open finding come first; within both groups the most points come first. Points = "
        "clarity in % - open findings per 100 cameras, an overdue one counting twice. Too few cameras for places.",
    ),
    "none_league": ("期内无指标数据。", "There are no figures of this period."),
    "left_out": ("未列出的条数（见 CSV 文件）", "not listed here (the CSV has them)"),
    "no_county": ("（未登记地区）", "(no region registered)"),
    "days": ("天", "d"),
    "hours": ("小时", "h"),
    "notes": ("说明", "Notes"),
    "note_measured": (
        "未测的摄像头和食堂不计为达标；无法判断的画面同样不计为达标。多日指标按“摄像头·日”“食堂·日”累计。",
        "What was not measured is never compliant, nor is a picture that could not be judged. Over several days "
        "cameras and canteens are counted once a day.",
    ),
    "note_counts": (
        "新立案、销号为期内发生数，其余为期末数。",
        "Opened and closed happened within the period, the rest is as of its end.",
    ),
    "note_operator": (
        "因平台运维原因（登记的密码或地址有误、编码不支持）离线的摄像头计为离线，但不立案。",
        "Cameras that are offline for a reason of the operator's (a wrong password or address in the registry, a "
        "codec) count as offline, but are no findings.",
    ),
    "note_late": (
        "逾期时长自首次超过整改期限起算；升级后整改期限为现责任层级的期限。",
        "Overdue since the first deadline that was missed; the deadline is that of the level responsible now.",
    ),
}


class Words:
    """The texts of one language."""

    def __init__(self, lang: Lang) -> None:
        self._index = list(Lang).index(lang)
        self.lang = lang

    def __getitem__(self, key: str) -> str:
        """Return a text by its key. Raises KeyError if there is none."""
        return _TEXTS[key][self._index]

    def kpi_short(self, name: KpiName) -> str:
        """Return the short name of a rate, for the head of a column."""
        return _KPIS[name][0][self._index]

    def kpi(self, name: KpiName) -> str:
        """Return the official name of a rate."""
        return _KPIS[name][1][self._index]

    def kpi_formula(self, name: KpiName) -> str:
        """Return the formula of a rate: numerator / denominator."""
        return _KPIS[name][2][self._index]

    def severity(self, severity: Severity) -> str:
        """Return a severity, with a symbol so that it can be told apart without colour."""
        return _SEVERITIES[severity][self._index]

    def level(self, level: Level) -> str:
        """Return a level."""
        return _LEVELS[level][self._index]

    def state(self, state: FindingState) -> str:
        """Return the state of a finding."""
        return _STATES[state][self._index]

    def problem(self, cause_key: str) -> str:
        """Return a fault kind, with its cause if there is one; unknown words are returned as they are."""
        kind, _, cause = cause_key.partition("/")
        problem = self._text(_KINDS, kind)
        if not cause:
            return problem
        begin, end = ("（", "）") if self.lang == Lang.ZH else (" (", ")")
        return f"{problem}{begin}{self._text(_CAUSES, cause)}{end}"

    def not_measured(self, number: int, registered: int) -> str:
        """Return the note beside every rate: how many were not measured."""
        if self.lang == Lang.ZH:
            return f"未测 {number:,} / 登记 {registered:,}"
        return f"{number:,} of {registered:,} not measured"

    def findings(self, number: int) -> str:
        """Return a number of findings."""
        return f"{number} 项" if self.lang == Lang.ZH else f"{number} finding{'s' * (number != 1)}"

    def placed(self, place: int) -> str:
        """Return a place in the league."""
        return f"第 {place} 名" if self.lang == Lang.ZH else f"place {place}"

    def lead(self, opened: int, closed: int, standing: int, overdue: int, supervised: int) -> str:
        """Return the sentence that sums up all findings."""
        if self.lang == Lang.ZH:
            return (
                f"期内新立案 {opened} 项，整改销号 {closed} 项；期末未结 {standing} 项，其中逾期 {overdue} 项、"
                f"挂牌督办 {supervised} 项。"
            )
        return (
            f"{self.findings(opened)} opened and {closed} closed; {standing} were open at the end, {overdue} of them "
            f"overdue and {supervised} supervised."
        )

    def _text(self, table: Mapping[str, Pair], key: str) -> str:
        return table[key][self._index] if key in table else key
