"""
What holds a truck, said in the languages of the border: English, Chinese, Mongolian.

Each phrase goes on after the truck's name; `{subject}` is the gate, truck, stand, lane, zone or person it is about. Phrases for
a cause whose subject is not known stand in the second table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from planner.authority import Cause

ENGLISH: Final = "en"

_EN: Final[Mapping[Cause, str]] = {
    Cause.NONE: "has not been looked at yet",
    Cause.GOAL: "has reached the end of its way at {subject}",
    Cause.LEADER: "waits behind {subject}",
    Cause.ZONE: "waits for zone {subject}",
    Cause.GATE: "waits until gate {subject} is proven open for it",
    Cause.CUSTOMS: "waits for customs to decide on {subject}",
    Cause.CLOSURE: "waits before the closed lane {subject}",
    Cause.HOLD: "is held by {subject}",
    Cause.ALL_STOP: "is stopped by the all-stop {subject}",
    Cause.SESSION: "has no live contact with the server",
    Cause.HORIZON: "may move, and is about to be given more road",
    Cause.OPENING: "waits until {subject} opens",
    Cause.BAY: "is being worked on at {subject}",
    Cause.NO_ORDER: "has nothing to do: no order needs it",
    Cause.CHARGING: "charges at {subject}, or waits for its turn there",
    Cause.REACTION: "may move, and is about to",
    Cause.BRAKED: "keeps its emergency brakes on: its senses fail, or it has rolled back; see to it and restart its computer",
    Cause.SHORTENING: "has not yet acknowledged that its authority was shortened",
    Cause.JUDGE: "is stopped because the safety judge objected; a person must release it",
    Cause.JOURNAL: "waits because decisions cannot be made durable",
    Cause.QUARANTINE: "is quarantined: its reports cannot be believed ({subject})",
    Cause.STAND: "finds no free stand in {subject}",
    Cause.INSPECTION: "is to be inspected ({subject})",
    Cause.SLOT: "waits for its turn at {subject}",
    Cause.FAULT: "is laid up at {subject}: its brakes are weaker than declared",
    Cause.TRACTION: "waits: lane {subject} ahead is too slippery to stop on",
    Cause.SITE_CHANGE: "waits because the site is being changed at lane {subject}",
    Cause.INTRUSION: "keeps clear of the intruder {subject}",
}
_ZH: Final[Mapping[Cause, str]] = {
    Cause.NONE: "尚未评估",
    Cause.GOAL: "已到达终点 {subject}",
    Cause.LEADER: "在 {subject} 之后等待",
    Cause.ZONE: "等待进入区域 {subject}",
    Cause.GATE: "等待卡口 {subject} 确认开启",
    Cause.CUSTOMS: "等待海关对 {subject} 作出决定",
    Cause.CLOSURE: "在已关闭的车道 {subject} 前等待",
    Cause.HOLD: "被 {subject} 扣停",
    Cause.ALL_STOP: "因全线停车 {subject} 而停止",
    Cause.SESSION: "与服务器没有有效联系",
    Cause.HORIZON: "可以行驶,即将获得更多路权",
    Cause.OPENING: "等待 {subject} 开放",
    Cause.BAY: "正在 {subject} 作业",
    Cause.NO_ORDER: "没有任务",
    Cause.CHARGING: "正在 {subject} 充电或等候充电",
    Cause.REACTION: "可以行驶,即将起步",
    Cause.BRAKED: "保持紧急制动:传感器失效或车辆后溜;请现场检查并重启车载计算机",
    Cause.SHORTENING: "尚未确认路权缩短",
    Cause.JUDGE: "因安全裁判提出异议而停止,须由人员解除",
    Cause.JOURNAL: "等待:决定无法可靠保存",
    Cause.QUARANTINE: "已被隔离:其报告不可信({subject})",
    Cause.STAND: "在 {subject} 没有空闲车位",
    Cause.INSPECTION: "需要查验({subject})",
    Cause.SLOT: "等待轮到 {subject}",
    Cause.FAULT: "停放在 {subject}:制动力低于申报值",
    Cause.TRACTION: "等待:前方车道 {subject} 过滑,无法保证停车",
    Cause.SITE_CHANGE: "等待:车道 {subject} 处的场地图正在更换",
    Cause.INTRUSION: "正在避让闯入者 {subject}",
}
_MN: Final[Mapping[Cause, str]] = {
    Cause.NONE: "хараахан үнэлэгдээгүй байна",
    Cause.GOAL: "{subject} хүрэх газартаа ирсэн",
    Cause.LEADER: "{subject} машины ард хүлээж байна",
    Cause.ZONE: "{subject} бүсийг хүлээж байна",
    Cause.GATE: "{subject} хаалга нээгдсэн нь батлагдахыг хүлээж байна",
    Cause.CUSTOMS: "{subject} талаарх гаалийн шийдвэрийг хүлээж байна",
    Cause.CLOSURE: "хаалттай {subject} зурвасын өмнө хүлээж байна",
    Cause.HOLD: "{subject} зогсоосон",
    Cause.ALL_STOP: "{subject} бүх нийтийн зогсоолтоор зогссон",  # noqa: RUF001 - Cyrillic on purpose
    Cause.SESSION: "сервертэй холбоогүй байна",
    Cause.HORIZON: "явж болно, удахгүй цааш явах зөвшөөрөл авна",
    Cause.OPENING: "{subject} нээгдэхийг хүлээж байна",
    Cause.BAY: "{subject} дээр ажил хийгдэж байна",
    Cause.NO_ORDER: "хийх ажилгүй байна",
    Cause.CHARGING: "{subject} дээр цэнэглэж, эсвэл ээлжээ хүлээж байна",
    Cause.REACTION: "явж болно, удахгүй хөдөлнө",
    Cause.BRAKED: "яаралтай тоормосоо барьсаар байна: мэдрэгч нь гэмтсэн эсвэл ухарсан; шалгаад компьютерыг дахин эхлүүлэх хэрэгтэй",
    Cause.SHORTENING: "зөвшөөрөл богиноссоныг хараахан баталгаажуулаагүй",
    Cause.JUDGE: "аюулгүйн шүүгч эсэргүүцсэн тул зогссон; хүн чөлөөлөх ёстой",
    Cause.JOURNAL: "шийдвэрийг найдвартай хадгалах боломжгүй тул хүлээж байна",
    Cause.QUARANTINE: "тусгаарлагдсан: мэдээлэлд нь итгэх боломжгүй ({subject})",
    Cause.STAND: "{subject} дээр сул зогсоол алга",
    Cause.INSPECTION: "шалгагдах ёстой ({subject})",
    Cause.SLOT: "{subject} дээр ээлжээ хүлээж байна",
    Cause.FAULT: "{subject} дээр зогсоогдсон: тоормос нь мэдүүлснээс сул байна",
    Cause.TRACTION: "хүлээж байна: урд талын {subject} зурвас хэт гулгамтгай тул зогсож чадахгүй",
    Cause.SITE_CHANGE: "{subject} зурвас дээр талбайн зураг солигдож байгаа тул хүлээж байна",
    Cause.INTRUSION: "зам дээр орж ирсэн {subject} чөлөөлөгдөхийг хүлээж байна",
}
PHRASES: Final[Mapping[str, Mapping[Cause, str]]] = {ENGLISH: _EN, "zh": _ZH, "mn": _MN}
MOVES: Final[Mapping[str, str]] = {ENGLISH: "moves", "zh": "正在行驶", "mn": "хөдөлж байна"}
UNNAMED: Final[Mapping[str, str]] = {ENGLISH: "something unnamed", "zh": "(未指明)", "mn": "(нэрлээгүй)"}


def phrase(cause: Cause, subject: str, language: str) -> str:
    """The phrase for *cause* in *language*; English where the language is not ours."""
    known = language.split("-", maxsplit=1)[0].lower()
    known = known if known in PHRASES else ENGLISH
    words = PHRASES[known].get(cause, cause.name.lower().replace("_", " "))
    return words.format(subject=subject or UNNAMED[known])


def moves(language: str) -> str:
    """What is said of a truck that does not stand."""
    return MOVES.get(language.split("-", maxsplit=1)[0].lower(), MOVES[ENGLISH])
