-- The audit chain: each line's hash covers the line before it.

-- Walks the chain and returns the first bad line; no row if the chain is intact.
CREATE FUNCTION desk.audit_verify(OUT bad_seq bigint, OUT reason text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    line   tmt.audit_log%ROWTYPE;
    last   bigint := 0;
    latest bytea := sha256('tmt');
    head   tmt.audit_head%ROWTYPE;
BEGIN
    FOR line IN SELECT * FROM tmt.audit_log a ORDER BY a.seq LOOP
        bad_seq := line.seq;
        reason := CASE
            WHEN line.seq <> last + 1 THEN 'lines before this one are missing'
            WHEN line.prev_hash <> latest THEN 'does not follow the line before it'
            -- NULL and '' hash the same; '' is never written.
            WHEN line.code = '' OR line.hash <> desk.audit_hash(line.prev_hash, line.seq, line.at, line.actor, line.verb, line.key, line.outcome,
                     line.code, line.subject, line.payload) THEN 'changed after it was written'
        END;
        IF reason IS NOT NULL THEN
            RETURN NEXT;
            RETURN;
        END IF;
        last := line.seq;
        latest := line.hash;
    END LOOP;
    SELECT * INTO head FROM tmt.audit_head;
    bad_seq := greatest(head.seq, last);
    reason := CASE
        WHEN head.seq IS NULL THEN 'the head of the chain is missing'
        WHEN head.seq > last THEN 'the chain ends before its head: the last lines are missing'
        WHEN head.seq < last THEN 'newer than the head of the chain'
        WHEN head.hash <> latest THEN 'differs from the head of the chain'
    END;
    IF reason IS NOT NULL THEN
        RETURN NEXT;
    END IF;
END $$;

-- The same, and against an exported head: a chain whose last lines were deleted and whose head was moved back is
-- consistent in itself.
CREATE FUNCTION desk.audit_verify_from(p_seq bigint, p_hash bytea, OUT bad_seq bigint, OUT reason text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT v.bad_seq, v.reason
      FROM (SELECT * FROM desk.audit_verify()
            UNION ALL
            SELECT p_seq, CASE WHEN l.seq IS NULL THEN 'the chain ends before the exported head'
                               ELSE 'differs from the exported head' END
              FROM (SELECT 1) AS always LEFT JOIN tmt.audit_log l ON l.seq = p_seq
             WHERE p_seq > 0 AND l.hash IS DISTINCT FROM p_hash) AS v
     ORDER BY v.bad_seq LIMIT 1
$$;

-- Appends a line. Its number comes from the head, which stays locked until commit: an identity column would be
-- drawn before the lock, and concurrent writers would chain out of order. Last in every verb, so that the wait
-- is short. Times never run backwards.
CREATE FUNCTION desk.audit(p_verb text, p_key uuid, p_answer desk.answer, p_payload jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    head    tmt.audit_head%ROWTYPE;
    written timestamptz := clock_timestamp();
    payload jsonb := coalesce(p_payload, '{}');
BEGIN
    PERFORM desk.require_code(p_answer.code);
    UPDATE tmt.audit_head h
       SET seq = h.seq + 1, prev_hash = h.hash, at = greatest(written, h.at),
           hash = desk.audit_hash(h.hash, h.seq + 1, greatest(written, h.at), session_user::text, p_verb, p_key, p_answer.outcome, p_answer.code,
                                  p_answer.subject, payload)
    RETURNING * INTO head;
    INSERT INTO tmt.audit_log VALUES (head.seq, head.at, session_user, p_verb, p_key, p_answer.outcome, p_answer.code,
        p_answer.subject, payload, head.prev_hash, head.hash);
END $$;

-- The hash of one line. Fields carry their lengths, so that no two lines hash the same input.
CREATE FUNCTION desk.audit_hash(p_prev bytea, p_seq bigint, p_at timestamptz, p_actor text, p_verb text,
    p_key uuid, p_outcome text, p_code text, p_subject uuid, p_payload jsonb) RETURNS bytea
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT sha256(p_prev || convert_to(string_agg(length(f.field) || ':' || f.field || ',', '' ORDER BY f.n), 'UTF8'))
              FROM unnest(ARRAY[p_seq::text, desk.timestamp_text(p_at), p_actor, p_verb, coalesce(p_key::text, ''), p_outcome,
                                coalesce(p_code, ''), coalesce(p_subject::text, ''), p_payload::text]) WITH ORDINALITY AS f (field, n));
END $$;

-- Halts that a rule sets or ends are audited like those of a person. Deferred to the end of the transaction: it
-- may still wait for rows whose holder waits for the head of the audit.
CREATE FUNCTION desk.audit_automatic_halt() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    PERFORM desk.audit(CASE TG_OP WHEN 'INSERT' THEN 'halt' ELSE 'resume' END, NULL,
        desk.accepted(NEW.halt_id, CASE TG_OP WHEN 'INSERT' THEN NEW.reason ELSE NEW.clear_reason END),
        jsonb_build_object('account_id', NEW.account_id, 'cause', NEW.cause, 'mode', NEW.mode,
            'message', CASE TG_OP WHEN 'INSERT' THEN NEW.reason ELSE NEW.clear_reason END));
    RETURN NULL;
END $$;

-- Append-only, even for the owner.
CREATE FUNCTION desk.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'TR020';
END $$;
