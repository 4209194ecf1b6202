-- The frame around every write: one answer, one key, one line in the audit; and risk events.
SET LOCAL ROLE tmt_owner;

-- What a write became. A refusal is a row like any other: it commits, and its event with it.
DO $$
BEGIN
    IF to_regtype('desk.verdict') IS NULL THEN
        CREATE TYPE desk.verdict AS (
            outcome  text,     -- accepted or refused
            code     text,     -- stable; on an accepted write only if there is something to say
            message  text,     -- a sentence for the person
            measured numeric,
            allowed  numeric,
            unit     text,
            subject  uuid,     -- the trade, position, limit, halt or event
            detail   jsonb     -- an object; amounts in it are text, or a reader would make floats of them
        );
    END IF;
END $$;

-- ---- small words ------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION desk.setting(p_key text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT s.value FROM desk.settings s WHERE s.key = p_key);
END $$;

-- An amount as a person reads it: groups of three, two decimals.
CREATE OR REPLACE FUNCTION desk.amount(p_value numeric) RETURNS text
LANGUAGE sql STABLE AS $$ SELECT to_char(p_value, 'FM999,999,999,999,999,990.00') $$;

-- A number without the zeros that its arithmetic left behind.
CREATE OR REPLACE FUNCTION desk.plain(p_value numeric) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT trim_scale(round(p_value, 10))::text $$;

-- A size without decimals where it has none.
CREATE OR REPLACE FUNCTION desk.size_text(p_size numeric) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN to_char(p_size, CASE WHEN p_size = trunc(p_size) THEN 'FM999,999,999,990' ELSE 'FM999,999,999,990.00' END);
END $$;

-- A price with the decimals of its instrument's tick: 1.10010, not 1.1001.
CREATE OR REPLACE FUNCTION desk.price_text(p_price numeric, p_tick numeric) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN round(p_price, least(5, scale(trim_scale(coalesce(p_tick, 0.00001)))))::text;
END $$;

-- A gain shows its plus: P&L is read at a glance.
CREATE OR REPLACE FUNCTION desk.signed_amount(p_value numeric) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE WHEN p_value > 0 THEN '+' ELSE '' END || desk.amount(p_value);
END $$;

-- A time that reads the same whatever the time zone of the session.
CREATE OR REPLACE FUNCTION desk.stamp(p_at timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$ SELECT to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

-- Whether the login that is connected belongs to one of these groups. session_user is the person, also
-- inside a function that runs with its owner's rights, and SET ROLE does not change it.
CREATE OR REPLACE FUNCTION desk.may(VARIADIC p_groups text[]) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY p_groups LOOP
        IF pg_has_role(session_user, one, 'MEMBER') THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

CREATE OR REPLACE FUNCTION desk.accepted(p_subject uuid, p_message text,
    p_code text DEFAULT NULL, p_detail jsonb DEFAULT '{}') RETURNS desk.verdict
LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW('accepted', p_code, p_message, NULL, NULL, NULL, p_subject, coalesce(p_detail, '{}'))::desk.verdict
$$;

CREATE OR REPLACE FUNCTION desk.refused(p_code text, p_message text, p_measured numeric DEFAULT NULL,
    p_allowed numeric DEFAULT NULL, p_unit text DEFAULT NULL, p_subject uuid DEFAULT NULL,
    p_detail jsonb DEFAULT '{}') RETURNS desk.verdict
LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW('refused', p_code, p_message, p_measured, p_allowed, p_unit, p_subject, coalesce(p_detail, '{}'))::desk.verdict
$$;

-- ---- audit ------------------------------------------------------------------------------------

-- Every write and every refusal, chained: each hash covers the one before it. A deleted tail does not
-- show in the chain itself, so keep desk.audit_head somewhere else as well.
CREATE TABLE IF NOT EXISTS desk.audit_log (
    seq       bigint PRIMARY KEY,
    at        timestamptz NOT NULL,
    actor     text NOT NULL,
    verb      text NOT NULL,
    key       uuid,
    outcome   text NOT NULL,
    code      text,
    subject   uuid,
    payload   jsonb NOT NULL,
    prev_hash bytea NOT NULL,
    hash      bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_audit_log_key ON desk.audit_log (key);

CREATE TABLE IF NOT EXISTS desk.audit_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    seq      bigint NOT NULL,
    hash     bytea NOT NULL
);
INSERT INTO desk.audit_head (seq, hash) VALUES (0, sha256('tmt')) ON CONFLICT DO NOTHING;

-- The hash of one line. Fields are joined with their lengths, so that no two lines read the same.
CREATE OR REPLACE FUNCTION desk.audit_hash(p_prev bytea, p_seq bigint, p_at timestamptz, p_actor text, p_verb text,
    p_key uuid, p_outcome text, p_code text, p_subject uuid, p_payload jsonb) RETURNS bytea
LANGUAGE plpgsql STABLE AS $$
DECLARE
    field text;
    line  text := '';
BEGIN
    FOREACH field IN ARRAY ARRAY[p_seq::text, desk.stamp(p_at), p_actor, p_verb, coalesce(p_key::text, ''), p_outcome,
                                 coalesce(p_code, ''), coalesce(p_subject::text, ''), p_payload::text] LOOP
        line := line || length(field) || ':' || field || ',';
    END LOOP;
    RETURN sha256(p_prev || convert_to(line, 'UTF8'));
END $$;

-- The number comes from the head, which stays locked until commit: an identity column is drawn before
-- the lock, and concurrent writers would chain out of order. Last in every verb, so the wait is short.
CREATE OR REPLACE FUNCTION desk.audit(p_verb text, p_key uuid, p_verdict desk.verdict, p_payload jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    head desk.audit_head%ROWTYPE;
    line_hash bytea;
    written timestamptz;
BEGIN
    SELECT * INTO head FROM desk.audit_head FOR UPDATE;
    written := clock_timestamp();
    line_hash := desk.audit_hash(head.hash, head.seq + 1, written, session_user::text, p_verb, p_key,
        p_verdict.outcome, p_verdict.code, p_verdict.subject, coalesce(p_payload, '{}'));
    INSERT INTO desk.audit_log VALUES (head.seq + 1, written, session_user, p_verb, p_key, p_verdict.outcome,
        p_verdict.code, p_verdict.subject, coalesce(p_payload, '{}'), head.hash, line_hash);
    UPDATE desk.audit_head SET seq = head.seq + 1, hash = line_hash;
END $$;

-- Walks the chain and answers with the first line that does not fit, or with no row if all do.
CREATE OR REPLACE FUNCTION desk.audit_verify(OUT bad_seq bigint, OUT reason text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH line AS (
        SELECT a.*, lag(a.seq, 1, 0::bigint) OVER w AS seq_before, lag(a.hash, 1, sha256('tmt')) OVER w AS hash_before
          FROM desk.audit_log a WINDOW w AS (ORDER BY a.seq)
    ), verdict AS (
        SELECT seq, CASE
            WHEN seq <> seq_before + 1 THEN 'lines before this one are missing'
            WHEN prev_hash <> hash_before THEN 'does not follow the line before it'
            WHEN hash <> desk.audit_hash(prev_hash, seq, at, actor, verb, key, outcome, code, subject, payload)
                THEN 'was changed after it was written'
        END AS reason FROM line
        UNION ALL
        SELECT h.seq, 'the chain ends before its head: lines at its end are missing' FROM desk.audit_head h
         WHERE h.seq <> (SELECT coalesce(max(seq), 0) FROM desk.audit_log)
    )
    SELECT seq, reason FROM verdict WHERE reason IS NOT NULL ORDER BY seq LIMIT 1
$$;

-- Append-only also for the owner's own mistakes.
CREATE OR REPLACE FUNCTION desk.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'TR020';
END $$;
DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['desk.audit_log', 'public.trade_fills', 'public.risk_event_actions'] LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER tr_append_only BEFORE UPDATE OR DELETE ON %s
                        FOR EACH ROW EXECUTE FUNCTION desk.refuse_change()', kept);
        EXECUTE format('CREATE OR REPLACE TRIGGER tr_append_only_truncate BEFORE TRUNCATE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION desk.refuse_change()', kept);
    END LOOP;
END $$;

-- ---- requests: one key, one answer ------------------------------------------------------------

-- Never pruned: a key that is gone would read as "not executed".
CREATE TABLE IF NOT EXISTS desk.requests (
    key         uuid PRIMARY KEY,
    fingerprint bytea NOT NULL,              -- sha256 of the fields the person reviewed
    actor       text NOT NULL,
    verb        text NOT NULL,               -- void: fenced by desk.resolve_outcome
    received_at timestamptz NOT NULL,
    outcome     text,                        -- with the columns below: the verdict; set before commit
    code        text,
    message     text,
    measured    numeric,
    allowed     numeric,
    unit        text,
    subject     uuid,
    detail      jsonb
);

-- First statement of every verb. Answers with the verdict to return, or with an outcome of NULL where
-- the key is new and the verb shall go on.
--
-- The INSERT waits for another session that holds the same key; what it left is read by a statement of
-- its own, because the INSERT's snapshot is from before the wait.
CREATE OR REPLACE FUNCTION desk.claim(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_verb text)
RETURNS desk.verdict LANGUAGE plpgsql AS $$
DECLARE
    known desk.requests%ROWTYPE;
    expired desk.verdict;
BEGIN
    IF p_key IS NULL OR p_fingerprint IS NULL THEN
        RETURN desk.refused('KEY_MISSING', 'A write needs a key and the fingerprint of what was reviewed.');
    END IF;
    INSERT INTO desk.requests (key, fingerprint, actor, verb, received_at)
    VALUES (p_key, p_fingerprint, session_user, p_verb, clock_timestamp())
    ON CONFLICT (key) DO NOTHING;
    IF FOUND THEN
        -- The database's clock decides, so that a ticket that lay around cannot fire late.
        IF p_valid_until < clock_timestamp() THEN
            expired := desk.refused('EXPIRED_REQUEST', format('This request was valid until %s and came too late. '
                'Review it again.', desk.stamp(p_valid_until)));
            RETURN desk.settle(p_key, p_verb, expired, '{}');
        END IF;
        RETURN NULL;
    END IF;
    SELECT * INTO known FROM desk.requests r WHERE r.key = p_key;
    IF known.actor <> session_user OR known.fingerprint <> p_fingerprint THEN
        RETURN desk.refused('KEY_REUSED', 'This key was used before, for something else.');
    ELSIF known.verb = 'void' THEN
        RETURN desk.refused('FENCED', 'This request was given up before it arrived. Nothing was done.');
    END IF;
    RETURN ROW(known.outcome, known.code, known.message, known.measured, known.allowed, known.unit,
               known.subject, known.detail)::desk.verdict;
END $$;

-- Last statement of every verb: keeps the answer under its key, writes the audit line, returns it.
CREATE OR REPLACE FUNCTION desk.settle(p_key uuid, p_verb text, p_verdict desk.verdict, p_payload jsonb)
RETURNS desk.verdict LANGUAGE plpgsql AS $$
BEGIN
    UPDATE desk.requests
       SET outcome = p_verdict.outcome, code = p_verdict.code, message = p_verdict.message,
           measured = p_verdict.measured, allowed = p_verdict.allowed, unit = p_verdict.unit,
           subject = p_verdict.subject, detail = p_verdict.detail
     WHERE key = p_key;
    PERFORM desk.audit(p_verb, p_key, p_verdict,
        p_payload || jsonb_build_object('message', p_verdict.message, 'detail', p_verdict.detail));
    RETURN p_verdict;
END $$;

-- The final answer about a write whose reply was lost. Waits for the original if it is still under way;
-- if it never arrived, its key is fenced, and it can never be executed later.
CREATE OR REPLACE FUNCTION desk.resolve_outcome(p_key uuid, p_fingerprint bytea) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    known desk.requests%ROWTYPE;
    fenced desk.verdict;
BEGIN
    IF p_key IS NULL OR p_fingerprint IS NULL THEN
        RETURN desk.refused('KEY_MISSING', 'A write is found by its key and its fingerprint.');
    END IF;
    fenced := desk.refused('NOT_EXECUTED', 'This request never arrived. Nothing was done, and nothing will be.');
    INSERT INTO desk.requests (key, fingerprint, actor, verb, received_at)
    VALUES (p_key, p_fingerprint, session_user, 'void', clock_timestamp())
    ON CONFLICT (key) DO NOTHING;
    IF FOUND THEN
        RETURN desk.settle(p_key, 'resolve_outcome', fenced, '{}');
    END IF;
    SELECT * INTO known FROM desk.requests r WHERE r.key = p_key;
    IF known.actor <> session_user OR known.fingerprint <> p_fingerprint THEN
        RETURN desk.refused('KEY_REUSED', 'This key belongs to another request.');
    END IF;
    RETURN ROW(known.outcome, known.code, known.message, known.measured, known.allowed, known.unit,
               known.subject, known.detail)::desk.verdict;
END $$;

-- ---- risk events ------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION desk.severity_rank(p_severity text) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_position(ARRAY['info', 'warning', 'critical', 'emergency'], p_severity)
$$;

-- A number as the columns of risk_events can hold it; nothing rather than an error if they cannot.
CREATE OR REPLACE FUNCTION desk.storable(p_value numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN abs(round(p_value, 4)) < 100000000000 THEN round(p_value, 4) END $$;

-- Raises a risk event, or counts a repeat of one that is still open under the same key.
--
-- An acknowledged one comes back (reraised) when it got worse: a higher severity, or another tenth of
-- the limit beyond the value that was acknowledged. Otherwise whoever owns it is left in peace.
CREATE OR REPLACE FUNCTION desk.raise_event(p_account uuid, p_type text, p_severity text, p_source text, p_measure text,
    p_current numeric, p_limit numeric, p_dedup text, p_trade uuid, p_position uuid, p_limit_id uuid, p_data jsonb)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    event risk_events%ROWTYPE;
    before risk_events%ROWTYPE;
    worse boolean;
    now_at timestamptz := clock_timestamp();
BEGIN
    IF desk.severity_rank(p_severity) IS NULL THEN
        RAISE EXCEPTION 'severity % is none of info, warning, critical, emergency', p_severity USING ERRCODE = '22023';
    END IF;
    -- Two rounds: the open event may be resolved between the INSERT that met it and the SELECT.
    FOR attempt IN 1 .. 3 LOOP
        INSERT INTO risk_events (account_id, event_type, severity, event_source, risk_measure, current_value, limit_value,
            threshold_breached, related_trade_id, related_position_id, related_limit_id, event_data, dedup_key,
            occurred_at, last_occurred_at)
        VALUES (p_account, left(p_type, 50), p_severity, left(p_source, 50), left(p_measure, 50),
            desk.storable(p_current), desk.storable(p_limit),
            CASE WHEN p_limit IS NULL THEN NULL WHEN p_severity = 'warning' THEN 'warning' ELSE 'limit' END,
            p_trade, p_position, p_limit_id, coalesce(p_data, '{}'), left(p_dedup, 200), now_at, now_at)
        ON CONFLICT (dedup_key) WHERE dedup_key IS NOT NULL AND resolution_time IS NULL DO NOTHING
        RETURNING * INTO event;
        IF FOUND THEN
            INSERT INTO risk_event_actions (event_id, action, actor, at)
            VALUES (event.event_id, 'raised', session_user, now_at);
            RETURN event.event_id;
        END IF;
        SELECT * INTO before FROM risk_events e
         WHERE e.dedup_key = left(p_dedup, 200) AND e.resolution_time IS NULL FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
    END LOOP;
    IF before.event_id IS NULL THEN
        RAISE EXCEPTION 'event % is raised and resolved by others at the same time', p_dedup USING ERRCODE = '40001';
    END IF;

    worse := desk.severity_rank(p_severity) > desk.severity_rank(before.severity)
        OR (p_current IS NOT NULL AND before.limit_value <> 0
            AND abs(p_current - before.limit_value) >= abs(coalesce(before.current_value, before.limit_value) - before.limit_value)
                                                       + abs(before.limit_value) / 10);
    UPDATE risk_events e
       SET occurrence_count = e.occurrence_count + 1,
           last_occurred_at = now_at,
           severity = CASE WHEN desk.severity_rank(p_severity) > desk.severity_rank(e.severity)
                           THEN p_severity ELSE e.severity END,
           -- While it is quietly owned, the value that was acknowledged stays the one to compare with.
           current_value = CASE WHEN e.acknowledged AND NOT worse THEN e.current_value
                                ELSE coalesce(desk.storable(p_current), e.current_value) END,
           limit_value = coalesce(desk.storable(p_limit), e.limit_value),
           event_data = e.event_data || coalesce(p_data, '{}'),
           acknowledged = e.acknowledged AND NOT worse
     WHERE e.event_id = before.event_id;
    IF before.acknowledged AND worse THEN
        INSERT INTO risk_event_actions (event_id, action, actor, note, at)
        VALUES (before.event_id, 'reraised', session_user, 'worse than when it was acknowledged', now_at);
    END IF;
    RETURN before.event_id;
END $$;
