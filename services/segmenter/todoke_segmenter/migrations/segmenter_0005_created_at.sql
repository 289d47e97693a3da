-- Since when somebody is known: `todoke rebuild` tells by it whose whole history the topics still hold
-- depends: segmenter_0001_people

-- migrate: apply
-- NULL for whoever was there before. Two statements: a default given with the column would be everybody's.
ALTER TABLE people ADD COLUMN created_at timestamptz;
ALTER TABLE people ALTER COLUMN created_at SET DEFAULT now();

-- migrate: rollback
ALTER TABLE people DROP COLUMN created_at;
