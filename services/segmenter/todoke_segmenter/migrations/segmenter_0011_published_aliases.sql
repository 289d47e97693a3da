-- Which ids became another's, apart from everybody's own: found by index, however many people there are
-- depends: segmenter_0001_people

-- migrate: apply
CREATE VIEW published_aliases AS
SELECT person_id, merged_into AS current_id FROM people WHERE merged_into IS NOT NULL;

-- migrate: rollback
DROP VIEW published_aliases;
