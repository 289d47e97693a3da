"""The rooms as `todoke migrate` knows them."""

from todoke_dispatcher import main as dispatcher
from todoke_ingest import main as ingest
from todoke_local.rooms import ROOMS
from todoke_scheduler import main as scheduler
from todoke_segmenter import main as segmenter
from todoke_shared.postgres.platform import MIGRATIONS as PLATFORM


def test_each_room_is_migrated_as_its_service_names_it_and_after_those_it_reads() -> None:
    """Schema and folder are the services' own, and the folders hold migrations."""
    services = (ingest, segmenter, scheduler, dispatcher)
    assert (PLATFORM, *(service.MIGRATIONS for service in services)) == ROOMS
    assert all(list(room.folder.glob(f"{room.schema}_0001_*.sql")) for room in ROOMS)
