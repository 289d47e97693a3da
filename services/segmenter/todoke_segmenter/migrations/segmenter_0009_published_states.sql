-- What the scheduler asks conditions of, and by which names a person is known
-- depends: segmenter_0001_people

-- migrate: apply
CREATE VIEW published_states AS
SELECT p.person_id, coalesce(p.merged_into, p.person_id) AS current_id, s.shop, s.state
  FROM people p JOIN people s ON s.person_id = coalesce(p.merged_into, p.person_id);

CREATE VIEW published_identities AS SELECT shop, identifier, person_id FROM identities;

-- migrate: rollback
DROP VIEW published_identities, published_states;
