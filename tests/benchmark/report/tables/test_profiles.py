"""Every profile's data sets stand in some declared table: what is run can be looked at."""

from __future__ import annotations

from benchmark.experiments import settings
from benchmark.report.tables.declaration import declarations


def test_every_data_set_of_every_profile_has_a_table(project) -> None:
    chosen = settings.load(project / "params.yaml")
    shown = {block.data for table in declarations().values() for block in table.blocks}
    for profile in chosen.profiles:
        ran = {data for data, _ in chosen.cells(profile)} | set(chosen.profile(profile).density)
        assert ran <= shown, (profile, sorted(ran - shown))
