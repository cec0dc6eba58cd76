"""Stores what callers say of canteens: address, contact, location."""

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from engine.model.camera import SiteKind
from engine.model.canteen import CanteenDetails, StoredCanteen
from engine.storage.db.database import upsert, write_transaction
from engine.storage.db.tables import canteens


class Canteens:
    """The canteens of one database. Any thread may call; every call is its own transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> tuple[StoredCanteen, ...]:
        """Return all that are stored, ordered by id."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(canteens).order_by(canteens.c.canteen_id)).all()
        return tuple(_stored(row) for row in rows)

    def upsert(self, canteen: StoredCanteen) -> None:
        """Add a canteen, or replace the one with its id."""
        details = canteen.details
        latitude, longitude = details.location or (None, None)
        row = {
            "canteen_id": canteen.canteen_id,
            "display_name": canteen.display_name,
            "region": canteen.region,
            "site_kind": canteen.site_kind.value,
            "address": details.address,
            "contact_name": details.contact_name,
            "phone": details.phone,
            "latitude": latitude,
            "longitude": longitude,
            "changed_wall_ns": canteen.changed_wall_ns,
        }
        with write_transaction(self._engine) as connection:
            upsert(connection, canteens, [row])

    def remove(self, canteen_id: str) -> None:
        """Delete a canteen; an unknown id is no error."""
        with write_transaction(self._engine) as connection:
            connection.execute(sa.delete(canteens).where(canteens.c.canteen_id == canteen_id))


def _stored(row: "sa.Row[tuple[object, ...]]") -> StoredCanteen:
    location = None if row.latitude is None or row.longitude is None else (row.latitude, row.longitude)
    details = CanteenDetails(row.address, row.contact_name, row.phone, location)
    kind = SiteKind(row.site_kind)
    return StoredCanteen(row.canteen_id, row.display_name, row.region, kind, details, row.changed_wall_ns)
