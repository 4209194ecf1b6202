-- Idempotency keys, answers and mutexes.

-- First statement of every verb. An outcome of NULL means that the key is new and the verb goes on; any other
-- answer is to be returned. A repeated request gets its first answer again.
--
-- The INSERT waits for another session that uses the same key. What that session wrote is read by a second
-- statement, because the INSERT's snapshot is older than the wait.
CREATE FUNCTION desk.begin_request(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_verb text)
RETURNS desk.answer LANGUAGE plpgsql AS $$
DECLARE
    known  tmt.requests%ROWTYPE;
    answer desk.answer;
BEGIN
    IF p_key IS NULL OR p_fingerprint IS NULL THEN
        answer := desk.refused('KEY_MISSING', 'Key and fingerprint are required.');
        PERFORM desk.audit(p_verb, p_key, answer, jsonb_build_object('message', answer.message));
        RETURN answer;
    END IF;
    INSERT INTO tmt.requests (key, fingerprint, actor, verb, received_at, revision)
    SELECT p_key, p_fingerprint, session_user, p_verb, clock_timestamp(), b.revision FROM tmt.rulebook b
    ON CONFLICT (key) DO NOTHING;
    IF FOUND THEN
        -- By the database's clock: an old ticket must not be sent late.
        IF p_valid_until IS NULL OR p_valid_until < clock_timestamp() THEN
            answer := desk.refused('EXPIRED_REQUEST', CASE WHEN p_valid_until IS NULL
                THEN 'The request has no expiry.'
                ELSE format('The request expired at %s. Review it again.', desk.timestamp_text(p_valid_until)) END);
            RETURN desk.finish_request(p_key, p_verb, answer, '{}');
        END IF;
        RETURN NULL;
    END IF;
    SELECT * INTO known FROM tmt.requests r WHERE r.key = p_key;
    IF known.actor <> session_user OR known.fingerprint <> p_fingerprint THEN
        answer := desk.refused('KEY_REUSED', 'This key belongs to another request.');
    ELSIF known.verb = 'void' THEN
        answer := desk.refused('FENCED', 'The request was cancelled before it arrived. Nothing was done.');
    ELSIF known.verb <> p_verb THEN
        answer := desk.refused('KEY_REUSED', format('This key was already used for %s.', known.verb));
    ELSE
        RETURN ROW(known.outcome, known.code, known.message, known.measured, known.allowed, known.unit,
                   known.subject, known.detail)::desk.answer;
    END IF;
    PERFORM desk.audit(p_verb, p_key, answer, jsonb_build_object('message', answer.message));
    RETURN answer;
END $$;

-- Last statement of every verb: stores the answer under its key, writes the audit line, returns the answer.
CREATE FUNCTION desk.finish_request(p_key uuid, p_verb text, p_answer desk.answer, p_payload jsonb)
RETURNS desk.answer LANGUAGE plpgsql AS $$
DECLARE
    began integer;
BEGIN
    UPDATE tmt.requests
       SET outcome = p_answer.outcome, code = p_answer.code, message = p_answer.message,
           measured = p_answer.measured, allowed = p_answer.allowed, unit = p_answer.unit,
           subject = p_answer.subject, detail = p_answer.detail
     WHERE key = p_key
    RETURNING revision INTO began;
    -- One request must not run on both the old and the new rulebook.
    IF began <> (SELECT b.revision FROM tmt.rulebook b) THEN
        RAISE EXCEPTION 'the rulebook was rebuilt while this request ran' USING ERRCODE = '40001';
    END IF;
    PERFORM desk.audit(p_verb, p_key, p_answer,
        p_payload || jsonb_build_object('message', p_answer.message, 'detail', p_answer.detail));
    RETURN p_answer;
END $$;

-- The outcome of a write whose reply was lost. Waits for the request if it is still running. If it never arrived,
-- its key is fenced: it cannot be executed later.
CREATE FUNCTION desk.resolve_outcome(p_key uuid, p_fingerprint bytea) RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    known tmt.requests%ROWTYPE;
    answer desk.answer;
BEGIN
    IF p_key IS NULL OR p_fingerprint IS NULL THEN
        answer := desk.refused('KEY_MISSING', 'A request is found by its key and fingerprint.');
        PERFORM desk.audit('resolve_outcome', p_key, answer, jsonb_build_object('message', answer.message));
        RETURN answer;
    END IF;
    answer := desk.refused('NOT_EXECUTED', 'The request never arrived. Nothing was done; it cannot be executed later.');
    INSERT INTO tmt.requests (key, fingerprint, actor, verb, received_at, revision)
    SELECT p_key, p_fingerprint, session_user, 'void', clock_timestamp(), b.revision FROM tmt.rulebook b
    ON CONFLICT (key) DO NOTHING;
    IF FOUND THEN
        RETURN desk.finish_request(p_key, 'resolve_outcome', answer, '{}');
    END IF;
    SELECT * INTO known FROM tmt.requests r WHERE r.key = p_key;
    IF known.actor <> session_user OR known.fingerprint <> p_fingerprint THEN
        answer := desk.refused('KEY_REUSED', 'This key belongs to another request.');
        PERFORM desk.audit('resolve_outcome', p_key, answer, jsonb_build_object('message', answer.message));
        RETURN answer;
    END IF;
    RETURN ROW(known.outcome, known.code, known.message, known.measured, known.allowed, known.unit,
               known.subject, known.detail)::desk.answer;
END $$;

CREATE FUNCTION desk.accepted(p_subject uuid, p_message text,
    p_code text DEFAULT NULL, p_detail jsonb DEFAULT '{}') RETURNS desk.answer
LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW('accepted', p_code, p_message, NULL, NULL, NULL, p_subject, coalesce(p_detail, '{}'))::desk.answer
$$;

CREATE FUNCTION desk.refused(p_code text, p_message text, p_measured numeric DEFAULT NULL,
    p_allowed numeric DEFAULT NULL, p_unit text DEFAULT NULL, p_subject uuid DEFAULT NULL,
    p_detail jsonb DEFAULT '{}') RETURNS desk.answer
LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW('refused', p_code, p_message, p_measured, p_allowed, p_unit, p_subject, coalesce(p_detail, '{}'))::desk.answer
$$;

-- Every code must be listed.
CREATE FUNCTION desk.require_code(p_code text) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_code IS NOT NULL AND NOT EXISTS (SELECT FROM tmt.codes r WHERE r.code = p_code) THEN
        RAISE EXCEPTION 'the code % is not in tmt.codes', p_code USING ERRCODE = 'XX000';
    END IF;
END $$;

-- Locks a mutex until the transaction ends; waits for it.
CREATE FUNCTION desk.acquire_mutex(p_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM tmt.mutexes t WHERE t.name = p_name FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no mutex is named %', p_name USING ERRCODE = '22023';
    END IF;
END $$;

-- Locks a mutex if it is free; returns whether it did.
CREATE FUNCTION desk.try_mutex(p_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM tmt.mutexes t WHERE t.name = p_name FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND AND NOT EXISTS (SELECT FROM tmt.mutexes t WHERE t.name = p_name) THEN
        -- Lost in a restore, for example. Without an error, marks and the monitor would silently stop.
        RAISE EXCEPTION 'no mutex is named %', p_name USING ERRCODE = '22023';
    END IF;
    RETURN FOUND;
END $$;
