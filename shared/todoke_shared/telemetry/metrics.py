"""The closed list of metrics. A name not here does not exist."""

from prometheus_client import Counter, Gauge, Histogram

# Consumption, every service
RECORDS = Counter("todoke_records_total", "Records taken and committed", ["group"])
BATCH_SECONDS = Histogram("todoke_batch_seconds", "Time to take a batch, commit included", ["group"])
BATCH_RETRIES = Counter("todoke_batch_retries_total", "Batches that have to come again", ["group", "error"])
DEAD_LETTERS = Counter("todoke_dead_letters_total", "Records that nobody can handle", ["topic"])
SET_ASIDE = Counter(
    "todoke_outbox_set_aside_total", "Outbox records that Kafka will never take; alarm on any", ["topic"]
)
LOOP_ERRORS = Counter("todoke_loop_errors_total", "Rounds of a background loop that failed", ["loop", "error"])

# Ingest
EVENTS_ACCEPTED = Counter("todoke_events_accepted_total", "Events durable in Kafka or in the spool", ["door"])
EVENTS_REFUSED = Counter("todoke_events_refused_total", "Requests or items answered 4xx or 5xx", ["door", "status"])
SPOOLED = Counter("todoke_spooled_total", "Records kept in PostgreSQL because Kafka was away", ["topic"])
SPOOL_BYTES = Gauge("todoke_spool_bytes", "How full the spool is; at TODOKE_SPOOL_BYTES the doors answer 503")
CLICKS_LOST = Counter("todoke_clicks_lost_total", "Clicks that nothing could take; their redirects were answered")
NOTICES = Counter("todoke_notices_total", "Ids that shops gave notice of, stored to be fetched", ["door"])
FETCHES = Counter(
    "todoke_fetches_total",
    "Entities fetched back from a shop by what came of it: found, gone, away, slow, busy, denied, failed, garbage",
    ["platform", "shop", "outcome"],
)
FETCH_SECONDS = Histogram("todoke_fetch_seconds", "A shop's answer time", ["platform", "shop"])
FETCHES_WAITING = Gauge("todoke_fetches_waiting", "Entities to be fetched or looked at again", ["platform", "shop"])

# Segmenter
TRIGGERS = Counter("todoke_triggers_total", "Triggers emitted", ["campaign", "kind"])
SEGMENT_CHANGES = Counter(
    "todoke_segment_changes_total", "People who entered or left a segment, history left out", ["segment", "kind"]
)
SEGMENT_LATENESS = Histogram(
    "todoke_segment_lateness_seconds",
    "Shop time between the instant at which somebody enters or leaves a segment with no event, and its trigger",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600),
)

# Scheduler
TIMERS_FIRED = Counter("todoke_timers_fired_total", "Timers claimed and carried out")
TIMER_LATENESS = Histogram(
    "todoke_timer_lateness_seconds",
    "Shop time between due and committed",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600),
)
TIMER_CLAIM_SECONDS = Histogram(
    "todoke_timer_claim_seconds",
    "What PostgreSQL takes to give due timers out",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
REQUESTS = Counter("todoke_requests_total", "Message requests emitted", ["campaign", "step"])
COUPONS_MISSING = Counter(
    "todoke_coupons_missing_total", "Coupons not given, for their pool was empty; alarm on any", ["pool"]
)

# Dispatcher
ATTEMPTS = Counter("todoke_line_attempts_total", "Requests to LINE by what came of them", ["account", "verdict"])
ATTEMPT_SECONDS = Histogram("todoke_line_attempt_seconds", "LINE's answer time", ["account"])
BREAKER_OPEN = Gauge(
    "todoke_line_breaker_open", "1 while LINE does not answer and one message at a time finds out", ["account"]
)
TOKEN_FETCHES = Counter(
    "todoke_line_token_fetches_total",
    "Requests for a channel access token by what came of them: issued, refused, unclear; alarm on refused",
    ["account", "outcome"],
)
DELIVERIES = Counter(
    "todoke_deliveries_total", "Messages by what became of them; alarm on unknown", ["campaign", "state"]
)
FREE_REPLIES = Counter("todoke_free_replies_total", "Messages that left free of charge, with a reply", ["campaign"])
WAITING = Gauge("todoke_deliveries_waiting", "Messages stored and not yet settled", ["lane"])
QUOTA_USED = Gauge(
    "todoke_quota_used", "Messages of this month: ours, and those that LINE counts beyond them", ["account"]
)
QUOTA_LIMIT = Gauge(
    "todoke_quota_limit", "The month's messages: the configured limit or LINE's, the lower", ["account"]
)
QUOTA_FORECAST = Gauge("todoke_quota_forecast", "Messages that this month comes to, if nothing stops them", ["account"])
QUOTA_LINE = Gauge("todoke_quota_line_used", "What LINE itself counted when it was last asked", ["account"])
QUOTA_ASKED = Counter(
    "todoke_quota_asked_total",
    "LINE asked for its count of the month; outcome: answered, failed",
    ["account", "outcome"],
)
BUDGET_USED = Gauge("todoke_budget_used", "Messages of this month of a campaign with a budget", ["campaign"])
BUDGET_LIMIT = Gauge("todoke_budget_limit", "The messages that its budget allows a month", ["campaign"])
