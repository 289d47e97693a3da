"""What a new version does to a run under way, where the campaign says `running: move`.

| what lies behind the run in its program | the step it stands at | decision |
|-----------------------------------------|-----------------------|----------|
| does the same in the new one, at the same places | of the same kind there too | moves, and is due when it was |
| anything else | | finishes on its old version |

What lies behind: waits and conditions may have another value, and messages other words, but nothing that was done may
stand ahead again, and no position may mean what another meant, or somebody would get a message twice, or not at all.
"""

from msgspec.structs import replace

from todoke_scheduler.domain.calendar import at_local
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.campaigns.program import Instruction, Program
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.campaigns.steps import Ask, Coupon, Emit, RichMenu, Send, Set, Split, Tag


def moved(run: Enrolment, old: Program, new: PublishedCampaign) -> Enrolment:
    """The run on a new version, or as it is where it finishes on its old one."""
    here = run.position
    if run.status != "active" or here > len(new.program):
        return run
    old_here, new_here = old.at(here), new.program.at(here)
    if (old_here and (old_here.kind, old_here.place)) != (new_here and (new_here.kind, new_here.place)):
        return run
    behind = zip(old.instructions[:here], new.program.instructions[:here], strict=True)
    if any(_does(before) != _does(after) for before, after in behind):
        return run
    return _ending_with(replace(run, version=new.version), new)


def _ending_with(run: Enrolment, new: PublishedCampaign) -> Enrolment:
    if run.end_reason == "over":
        run = replace(run, ends_at=None, end_reason=None)
    ends = new.campaign.ends
    return run if ends is None else run.ending(at_local(ends, new.campaign.tz), "over")


def _does(instruction: Instruction) -> tuple[object, ...]:
    """What of an instruction must be the same for two to mean the same to whoever is past them."""
    return (instruction.kind, instruction.place, *_what(instruction))


def _what(instruction: Instruction) -> tuple[object, ...]:
    match instruction.step:
        case Send(send=message):
            return (message,)
        case Ask(ask=question, message=message):
            return (question, message)
        case Split(shares=shares, name=name):
            return (name, *shares)
        case Coupon() | Tag() | Set() | RichMenu() | Emit():
            return (instruction.step,)
    return ()
