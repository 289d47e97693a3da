"""What an event, or a change of a segment, makes true of a person, campaign by campaign.

Only the campaigns that listen are asked. History asks none: what happened long ago starts no campaign, and ends none
(docs/adr/0015). What comes while another tool speaks for the account (`mode: standby`) starts none, and may end one.

| what happens                  | who is asked                                            | trigger           |
|-------------------------------|---------------------------------------------------------|-------------------|
| an event                      | the goals, exits and entries `on` its type              | goal, exit, enter |
| a message, a button's tap     | entries by this `keyword` or `postback`, of the account | enter             |
| a tap on an answer            | nobody: the button says it                              | answer            |
| a segment is entered, or left | those that name it                                      | goal, exit, enter |
| a date comes, and its time    | the entry by `date`                                     | enter             |
| campaign.start_requested      | the entry of the campaign named, whatever it is by      | enter, or refused |
| campaign.stop_requested       | nobody: it says which campaign                          | exit              |

`on: call` and schedules start by none of the others.

Late news of a cart. An event that is older than the cart's last change may show that this change was decided on too
little: the cart is not empty after all, or an order has emptied it. What it makes true is then told as of just after
the change, so that a run that began with it ends, and one that was refused begins.
"""

from todoke_segmenter.domain.triggers.making import latest_of_each
from todoke_segmenter.domain.triggers.rules import TriggerRules

__all__ = ["TriggerRules", "latest_of_each"]
