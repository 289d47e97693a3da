-- The newest layout of what is stored of people: an older release would drop what it does not know (adapters/layout.py)
-- depends:

-- migrate: apply
-- One row. 1: what release 0.1 and those after it wrote that had no number for it.
CREATE TABLE state_layout (
    only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
    layout int NOT NULL
);
INSERT INTO state_layout (layout) VALUES (1);

-- migrate: rollback
DROP TABLE state_layout;
