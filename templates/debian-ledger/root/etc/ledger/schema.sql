CREATE ROLE ledger LOGIN;
CREATE TABLE entry (number bigint PRIMARY KEY, key text NOT NULL UNIQUE, amount bigint NOT NULL, text text NOT NULL, at timestamptz NOT NULL DEFAULT now());
ALTER TABLE entry OWNER TO ledger;
