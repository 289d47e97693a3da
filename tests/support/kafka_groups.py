"""Consumer groups, from outside: who is in one, and how to have a member leave that cannot do so itself."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest


async def groups_of(bootstrap_servers: str) -> set[str]:
    """The names of a broker's groups. None for a broker that does not tell (the embedded one)."""
    async with _admin(bootstrap_servers) as admin:
        try:
            return {name for name, _ in await admin.list_consumer_groups()}
        except KafkaError:
            return set()


async def members_of(bootstrap_servers: str, group: str) -> set[str]:
    """The ids of a group's members. None for a broker that does not tell (the embedded one)."""
    async with _admin(bootstrap_servers) as admin:
        try:
            [answer] = await admin.describe_consumer_groups([group])
        except KafkaError:
            return set()
        # Of each group: error, id, state, protocol type, protocol, members; a member's id comes first.
        return {member[0] for described in answer.groups for member in described[5]}


async def dismiss(bootstrap_servers: str, group: str, members: Iterable[str]) -> None:
    """Have members leave, as the broker itself does once it has not heard of them for their session's ten seconds."""
    async with _admin(bootstrap_servers) as admin:
        coordinator = await admin.find_coordinator(group)
        for member in members:
            await admin._send_request(LeaveGroupRequest(group, member), coordinator)


@asynccontextmanager
async def _admin(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
