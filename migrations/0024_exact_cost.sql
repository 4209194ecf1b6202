-- What a position cost is a sum of products and, after a part of it was closed, a quotient: ten decimals
-- of it were one too few for the tenth of the average price. Now it is kept as it was computed.
SET LOCAL ROLE tmt_owner;

-- From fewer digits to any number of them: no row is rewritten.
ALTER TABLE positions ALTER COLUMN cost TYPE numeric;
