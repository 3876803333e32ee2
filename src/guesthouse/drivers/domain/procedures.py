"""All procedures that the domain driver answers: the tables of the families, merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.api import Handler
from guesthouse.drivers.domain import procedures_console, procedures_lifecycle, procedures_objects, procedures_state
from guesthouse.rpc.procedure import Procedure

if TYPE_CHECKING:
    from guesthouse.drivers.domain.driver import DomainDriver

TABLE: dict[Procedure, Handler[DomainDriver]] = {
    **procedures_objects.TABLE,
    **procedures_lifecycle.TABLE,
    **procedures_state.TABLE,
    **procedures_console.TABLE,
}
