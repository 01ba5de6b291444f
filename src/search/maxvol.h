/* SPDX-License-Identifier: MIT */
/**
 * Rows of a matrix that span about the largest volume.
 *
 * Source: Goreinov et al. 2010, "How to find a good submatrix", as ttopt 0.6.2 does it: an orthonormal basis
 * of the columns, pivots of its elimination as the first choice, then exchanges of rows for as long as one
 * enlarges the determinant by a thousandth. Written out here, because which rows are taken must not depend on
 * the instructions that a linear algebra library finds on a processor.
 */
#ifndef MEICENSUS_SEARCH_MAXVOL_H
#define MEICENSUS_SEARCH_MAXVOL_H

/**
 * Choose n_columns rows of a finite matrix [n_rows][n_columns], n_rows >= n_columns >= 1. `matrix` is
 * overwritten; order [n_rows] is working memory. rows [n_columns]: the chosen ones.
 */
void maxvol_choose(int n_rows, int n_columns, double *matrix, int *order, int *rows);

#endif
