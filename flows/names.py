"""The names that forms offer, read from params.yaml at import: profiles, data sets, methods.

To a type checker they are plain strings; to Prefect they are Literals, shown as combo boxes and checked by
the server before a run is created.
"""

from typing import TYPE_CHECKING, Any, Literal

from benchmark import settings

if TYPE_CHECKING:
    AblationCell = str
    AblationData = str
    AnyData = str
    DensityData = str
    ProfileName = str
    RankedData = str
    SearchMethod = str
    SessionData = str
    SessionMethod = str
    TopKData = str
    TopKMethod = str
else:

    def _literal(names: list[str]) -> Any:
        return Literal[tuple(dict.fromkeys(names)) or ("none",)]

    _settings = settings.load()
    _known = _settings.profiles
    _session = [group for profile in _known.values() for group in profile.session]
    _topk = [group for profile in _known.values() for group in profile.topk]
    _vectors = [name for profile in _known.values() for name in profile.density]

    ProfileName = _literal(list(_known))
    _ablated = [group for profile in _known.values() for group in profile.ablations]
    AblationData = _literal([name for group in _ablated for name in group.data])
    AblationCell = _literal(list(_settings.ablations.cells))
    SearchMethod = _literal([name for spaces in _settings.search.values() for name in spaces])
    RankedData = _literal([name for group in (*_session, *_topk) for name in group.data])
    SessionData = _literal([name for group in _session for name in group.data])
    SessionMethod = _literal([name for group in _session for name in group.methods])
    TopKData = _literal([name for group in _topk for name in group.data])
    TopKMethod = _literal([name for group in _topk for name in group.methods])
    DensityData = _literal(_vectors)
    AnyData = _literal([name for group in (*_session, *_topk) for name in group.data] + _vectors)
