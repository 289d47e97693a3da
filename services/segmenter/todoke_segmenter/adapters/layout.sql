-- name: layout_in_use$
-- The newest layout that a segmenter has begun to write; it stays so until this transaction ends.
SELECT layout FROM state_layout FOR SHARE;

-- name: known_layout$
-- The same, with no lock: whoever has nothing to raise waits for nobody.
SELECT layout FROM state_layout;

-- name: queue!
-- Wait for the batches in hand, and have those to come wait: the row alone would be shared by one after another for ever.
LOCK TABLE state_layout IN EXCLUSIVE MODE;

-- name: raise_layout$
-- A release begins to write layout $1: whoever knows less has ended its batch before, and takes no other.
UPDATE state_layout SET layout = greatest(layout, $1) RETURNING layout;
