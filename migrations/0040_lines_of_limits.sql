-- The limit behind a temporary one is that of its own line, and a turn that is not there is not one that somebody has.
SET LOCAL ROLE tmt_owner;

-- Takes a turn if nobody else has it; says whether it did.
CREATE OR REPLACE FUNCTION desk.try_turn(p_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM desk.turns t WHERE t.name = p_name FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND AND NOT EXISTS (SELECT FROM desk.turns t WHERE t.name = p_name) THEN
        -- A restore without its rows, say: marks and the watch must not rest in silence.
        RAISE EXCEPTION 'nobody can take the turn %', p_name USING ERRCODE = '22023';
    END IF;
    RETURN FOUND;
END $$;

-- The limit that comes back when this temporary one ends; none where nothing does. It took its place behind
-- this one, or behind one that this one superseded.
CREATE OR REPLACE FUNCTION desk.limit_behind(l risk_limits) RETURNS SETOF risk_limits
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE line AS (
        SELECT l.limit_id, l.supersedes_limit_id
        UNION
        SELECT p.limit_id, p.supersedes_limit_id FROM risk_limits p JOIN line ON p.limit_id = line.supersedes_limit_id
    )
    SELECT b.* FROM risk_limits b
     WHERE b.is_active AND b.effective_from = l.effective_until
       AND b.change_reason = 'returns when the temporary limit ends'
       AND b.supersedes_limit_id IN (SELECT line.limit_id FROM line)
     ORDER BY b.limit_id LIMIT 1
$$;
